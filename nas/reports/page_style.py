"""How the report looks: one style sheet, inside the page."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f5f7f9; --ink: #1d2a35; --muted: #52606d; --line: #d5dbe1; --grid: #e8ecef;
  --front: #c43b50; --dominated: #7f8a96; --link: #1f5fa8; --focus: #1f5fa8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12181e; --panel: #1b232b; --ink: #e6ebf0; --muted: #a9b5c0; --line: #384450; --grid: #27313a;
    --front: #ff7d8e; --dominated: #7f8b97; --link: #8fc1ff; --focus: #8fc1ff;
  }
  .drawing { background: #1a1a1a !important; }
  .drawing img, .behind { filter: invert(.9) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, Helvetica,
  Arial, sans-serif; }
header, main, footer { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 .8rem; }
p { margin: .4rem 0 .8rem; max-width: 44rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
.lead { color: var(--muted); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem .8rem; z-index: 1; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: 1rem 0 0; padding: .6rem 0;
  border-block: 1px solid var(--line); }
nav a { display: inline-block; padding: .25rem 0; }
dl.numbers { display: flex; flex-wrap: wrap; gap: .8rem 2.2rem; margin: 1.2rem 0 0; }
dl.numbers div { min-width: 7rem; }
dl.numbers dt { color: var(--muted); font-size: .85rem; }
dl.numbers dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
figure { margin: 0; }
figcaption { color: var(--muted); font-size: .9rem; margin-top: .4rem; }
svg { display: block; max-width: 100%; height: auto; }
.narrow { display: none; }
.grid { stroke: var(--grid); }
.tick, .label { fill: var(--muted); font-size: 12px; }
.front { fill: var(--front); stroke: var(--page); }
.outside { fill: var(--dominated); stroke: var(--page); }
.front-line { fill: none; stroke: var(--front); stroke-width: 2; }
.dominated { fill: var(--dominated); stroke: var(--page); }
.budget { stroke: var(--muted); stroke-dasharray: 5 4; }
svg a:focus-visible { outline: none; }
svg a:focus-visible :is(.front, .outside) { stroke: var(--focus); stroke-width: 4; }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin: 0 .35em 0 .9em; }
.key:first-child { margin-left: 0; }
.key.f { background: var(--front); } .key.d { background: var(--dominated); }
.charts { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
.caption { color: var(--muted); font-size: .9rem; }
th, td { padding: .45rem .8rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { background: var(--panel); white-space: nowrap; border-top: 0; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody th { font-weight: 600; }
td.wide { min-width: 16rem; }
details { border: 1px solid var(--line); border-radius: 8px; margin: .6rem 0; background: var(--panel); }
summary { cursor: pointer; padding: .7rem .9rem; font-weight: 600; }
details p { scroll-margin-top: 4rem; }
details > :not(summary) { margin: 0 .9rem .9rem; }
.drawing { overflow-x: auto; background: #ffffff; border-radius: 6px; border: 1px solid var(--line); }
.behind, .predictions { display: block; max-width: 100%; height: auto; background: #ffffff; }
.drawing img { display: block; margin: 0 auto; max-width: none; }
pre { overflow-x: auto; background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: .8rem;
  font: .85rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 0 0 1rem; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--muted); font-size: .9rem; padding-block: 2.5rem; }
@media (max-width: 40rem) {
  table { font-size: .85rem; } th, td { padding: .4rem .35rem; }
  thead th, .n { white-space: normal; }
  thead th { vertical-align: bottom; }
  .wide-chart { display: none; } .narrow { display: block; }
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .6rem; }
}
@media print { nav, .skip { display: none; } details:not([open]) { display: none; } }
"""
