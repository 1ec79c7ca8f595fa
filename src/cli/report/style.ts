/** The page's look, in light and in dark. Blue is what gains or is relevant, orange what does not. */
export const style = `
:root {
  color-scheme: light dark; --paper: #fbfbfa; --card: #ffffff; --ink: #1b1f24; --soft: #68717c; --rule: #e4e6e9;
  --blue: #2563eb; --orange: #d9730d; --grey: #9aa3ae;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #101318; --card: #181c22; --ink: #e8eaed; --soft: #98a2ae; --rule: #2b313a; --blue: #6ea0ff;
    --orange: #f0954a; --grey: #6c7683;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 860px; margin: 0 auto; padding: 56px 24px 80px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 8px; }
h2 { font-size: 19px; letter-spacing: -0.01em; margin: 0 0 4px; }
p { margin: 0; color: var(--soft); }
b { color: var(--ink); font-weight: 600; }
.cards { display: grid; grid-template-columns: 1.35fr 1fr 1fr 1fr; gap: 14px; margin: 32px 0; }
.card, section { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; }
.card { padding: 16px 18px; }
.card strong {
  display: block; font-size: 23px; line-height: 1.35; font-weight: 650; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; white-space: nowrap;
}
.card > span { color: var(--soft); font-size: 13.5px; }
section { padding: 24px 28px 20px; margin-bottom: 20px; }
section svg { display: block; width: 100%; height: auto; margin-top: 18px; }
table {
  border-collapse: collapse; width: 100%; margin-top: 14px; font-size: 14.5px; font-variant-numeric: tabular-nums;
}
th { font-weight: 500; color: var(--soft); }
th, td { padding: 7px 10px; text-align: right; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tr:last-child td { border-bottom: 0; }
td.measure { color: var(--soft); padding-top: 18px; }
tr.all td { font-weight: 600; }
.scroll { overflow-x: auto; }
.gain { color: var(--blue); } .loss { color: var(--orange); }
.legend { display: flex; gap: 20px; margin-top: 12px; font-size: 14px; color: var(--soft); }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 6px; margin-right: 7px; }
i.before { background: var(--card); border: 2px solid var(--grey); }
i.after, i.relevant { background: var(--blue); }
i.other { background: var(--orange); }
i.interval { background: var(--blue); opacity: 0.22; }
footer { margin-top: 32px; font-size: 14px; color: var(--soft); }
svg text {
  fill: var(--ink); font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
}
svg .tick, svg .axis { fill: var(--soft); font-size: 12.5px; }
svg .name { font-weight: 500; } svg .value { font-weight: 600; } svg .big { font-size: 22px; font-weight: 650; }
svg .grid { stroke: var(--rule); }
svg .zero { stroke: var(--soft); }
svg .diagonal { stroke: var(--grey); stroke-dasharray: 4 5; }
svg .link { stroke: var(--blue); stroke-width: 3; }
svg .interval { fill: var(--blue); opacity: 0.18; }
svg .before { fill: var(--card); stroke: var(--grey); stroke-width: 2.5; } svg .after { fill: var(--blue); }
svg circle.up, svg circle.down, svg circle.same { fill-opacity: 0.5; stroke-width: 1.2; }
svg .up { fill: var(--blue); stroke: var(--blue); }
svg .down { fill: var(--orange); stroke: var(--orange); }
svg .same { fill: var(--grey); stroke: var(--grey); }
svg rect.up, svg rect.down, svg rect.same { stroke: none; }
svg .area { fill-opacity: 0.32; stroke-width: 1.8; stroke-linejoin: round; }
svg .relevant { fill: var(--blue); stroke: var(--blue); }
svg .other { fill: var(--orange); stroke: var(--orange); }
@media (max-width: 800px) { .cards { grid-template-columns: 1fr 1fr; } }
@media (max-width: 560px) { main { padding: 32px 14px; } section { padding: 18px 16px; } }
`;
