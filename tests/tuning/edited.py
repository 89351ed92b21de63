"""Journals that somebody edits."""

import re


def without_end(path, trial):
    """Have a trial run on."""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(f'{{"event":"end","trial":{trial},')))


def edit(path, old="", new=""):
    """Replace text in a journal once, and leave out the checksums, as versions before 0.2 did."""
    text = re.sub(r',"crc":"[0-9a-f]{8}"\}$', "}", path.read_text(), flags=re.MULTILINE)
    assert old in text
    path.write_text(text.replace(old, new, 1))
