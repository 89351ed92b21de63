"""The description of a search's run in MLflow: how it was made, its front, and where to look. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nas.errors import printable
from nas.quantity import counted
from nas.reports.front_tables import front_markdown
from nas.results.noise import left_out, without_noise

if TYPE_CHECKING:
    from nas.objectives import Score
    from nas.reports import Story
    from nas.results.pareto import ParetoFront
    from nas.results.trial import TrialRecord

NOTE_LIMIT = 7_900
"""Characters of a run's description; MLflow refuses 8,000."""


def search_note(
    story: Story,
    front: ParetoFront[TrialRecord],
    *,
    score: Score,
    trials: int,
    hypervolume: float,
    running: bool,
    views: Sequence[tuple[str, str]],
    links: Mapping[int, str],
    picture: str = "",
) -> str:
    """The description of a search's run, in markdown.

    Its first line is links, because MLflow shows one line before it is unfolded.

    Args:
        story: how the search came about.
        front: as it is now.
        score: what the search maximizes.
        trials: how many have ended.
        hypervolume: of the front.
        running: whether more may come.
        views: text and address of the pages that show this search.
        links: address by trial number.
        picture: address of the front's picture, or "" if there is none yet.
    """
    kept = without_noise(front)
    head = " · ".join(f"[{text}]({address})" for text, address in views)
    state = f"{counted(trials, 'trial')}{' so far' * running}, {len(front)} on the Pareto front"
    state += f" ({len(front) - len(kept)} explained by noise)" if len(kept) < len(front) else ""
    if front.points:
        best = kept.best()
        cost = front.costs[0].words(best.cost(front.costs[0]))
        state += f"; the best has {score.text(best.score)} {best.score_heading(score)} with {cost}"
        state += f"; hypervolume {hypervolume:.3f}"
    made = [f"- **{plain(heading)}:** {plain(value)}" for heading, value in story.facts.items() if value]
    if story.command:
        # Indented code: no fence that the command could close.
        made += ["", "Made with:", "", *(f"    {line}" for line in story.command.splitlines())]
    if story.files:
        made += ["", f"Its files are among the artifacts: {', '.join(map(plain, story.files))}."]
    how = "\n".join(["### How it was made", "", *made])[:3_000] if made else ""
    axes = f"{score.heading} against {front.costs[0].heading}"
    image = f"![The Pareto front: {axes}]({picture})" if picture else ""
    how = "\n\n".join(part for part in (left_out(front), how) if part)
    around = "\n\n".join(part for part in (head, f"{state}.", image, "### The front", how) if part)
    table = front_markdown(kept, score, links, limit=NOTE_LIMIT - len(around) - 100) if front.points else ""
    parts = (head, f"{state}.", image, f"### The front\n\n{table}" if table else "", how)
    return "\n\n".join(part for part in parts if part)


def plain(text: str) -> str:
    r"""Text that markdown shows as it is, on one line.

    >>> print(plain("a/b'c_d_ <i> | `x`"))
    a/b'c\_d\_ \<i\> \| \`x\`
    """
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(printable(text).split()))
