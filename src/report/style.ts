/** Colours of series, c0 to c7 in the style sheet. */
export const colours = 8;

/**
 * The look of a page, in light and in dark as the reader's setting says, with nothing from elsewhere. Blue is what gains
 * or is relevant, orange what does not.
 */
export const style = `
:root {
  color-scheme: light dark; --paper: #fbfbfa; --card: #ffffff; --ink: #1b1f24; --soft: #68717c; --rule: #e4e6e9;
  --grey: #9aa3ae; --c0: #2563eb; --c1: #d9730d; --c2: #178f6b; --c3: #a445c9; --c4: #c9960c; --c5: #d6336c;
  --c6: #0d8fb0; --c7: #6b7280;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #101318; --card: #181c22; --ink: #e8eaed; --soft: #98a2ae; --rule: #2b313a; --grey: #6c7683;
    --c0: #6ea0ff; --c1: #f0954a; --c2: #46c79d; --c3: #cf86ee; --c4: #eebf45; --c5: #ff7aa6; --c6: #4cc3e0;
    --c7: #a5adba;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 900px; margin: 0 auto; padding: 56px 24px 80px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 8px; }
h2 { font-size: 19px; letter-spacing: -0.01em; margin: 0 0 4px; }
p { margin: 0; color: var(--soft); }
p b { color: var(--ink); font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(185px, 1fr)); gap: 14px; margin: 32px 0; }
.tile, section { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; }
.tile { padding: 16px 18px; }
.tile b {
  display: block; font-size: 23px; line-height: 1.35; font-weight: 650; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; white-space: nowrap;
}
.tile > span { color: var(--soft); font-size: 13.5px; }
section { padding: 24px 28px 20px; margin-bottom: 20px; }
table {
  border-collapse: collapse; width: 100%; margin-top: 14px; font-size: 14.5px; font-variant-numeric: tabular-nums;
}
th { font-weight: 500; color: var(--soft); }
th, td { padding: 7px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 10em; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tr:last-child td { border-bottom: 0; }
td[colspan] { color: var(--soft); padding-top: 18px; }
tr.all td { font-weight: 600; }
.scroll { overflow-x: auto; }
.gain { color: var(--c0); } .loss { color: var(--c1); }
.legend {
  list-style: none; display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 12px 0 0; padding: 0; color: var(--soft);
  font-size: 14px;
}
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 6px; margin-right: 7px; }
i.before { background: var(--card); border: 2px solid var(--grey); }
i.after, i.relevant { background: var(--c0); }
i.other { background: var(--c1); }
i.interval { background: var(--c0); opacity: 0.22; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 14px 0 0; font-size: 14.5px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 32px; font-size: 14px; color: var(--soft); }
svg { display: block; width: 100%; height: auto; margin-top: 18px; }
svg text {
  fill: var(--ink); font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
}
svg .tick, svg .axis, svg .group { fill: var(--soft); font-size: 12.5px; }
svg .name { font-weight: 500; } svg .value { font-weight: 600; } svg .big { font-size: 22px; font-weight: 650; }
svg .bar + .value { font-size: 12.5px; font-weight: 500; }
svg .grid { stroke: var(--rule); }
svg .zero { stroke: var(--soft); }
svg .diagonal { stroke: var(--grey); stroke-dasharray: 4 5; }
svg .link { stroke: var(--c0); stroke-width: 3; }
svg .interval { fill: var(--c0); opacity: 0.18; }
svg .before { fill: var(--card); stroke: var(--grey); stroke-width: 2.5; } svg .after { fill: var(--c0); }
svg circle.up, svg circle.down, svg circle.same { fill-opacity: 0.5; stroke-width: 1.2; }
svg .up { fill: var(--c0); stroke: var(--c0); }
svg .down { fill: var(--c1); stroke: var(--c1); }
svg .same { fill: var(--grey); stroke: var(--grey); }
svg rect.up, svg rect.down, svg rect.same { stroke: none; }
svg .area { fill-opacity: 0.32; stroke-width: 1.8; stroke-linejoin: round; }
svg .relevant { fill: var(--c0); stroke: var(--c0); }
svg .other { fill: var(--c1); stroke: var(--c1); }
svg .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
svg .dot { stroke: var(--card); stroke-width: 1.5; }
${Array.from({ length: colours }, (_, i) => seriesStyle(`c${i}`)).join('\n')}
@media (max-width: 560px) { main { padding: 32px 14px; } section { padding: 18px 16px; } }
`;

function seriesStyle(name: string): string {
  const colour = `var(--${name})`;
  return (
    `svg .line.${name} { stroke: ${colour}; } svg .dot.${name}, svg .bar.${name} { fill: ${colour}; } ` +
    `i.${name} { background: ${colour}; }`
  );
}
