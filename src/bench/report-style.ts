/** The style sheet of the report: light and dark after the reader's setting, nothing from elsewhere. */
export const reportStyle = `
:root {
  color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1a1f2b; --faint: #667085; --edge: #e3e6ec;
  --grid: #eceef2; --c0: #2f6fed; --c1: #e4682a; --c2: #178f6b; --c3: #a445c9; --c4: #c9960c; --c5: #d6336c;
  --c6: #0d8fb0; --c7: #6b7280;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1218; --card: #171b23; --ink: #e8ebf1; --faint: #98a2b3; --edge: #272d39; --grid: #232936; --c0: #6c9cff;
    --c1: #ff9259; --c2: #46c79d; --c3: #cf86ee; --c4: #eebf45; --c5: #ff7aa6; --c6: #4cc3e0; --c7: #a5adba;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; margin: 0; letter-spacing: -0.02em; }
h2 { font-size: 18px; margin: 40px 0 12px; }
p.lead { margin: 4px 0 0; color: var(--faint); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin-top: 24px; }
.tile, figure, .scroll, dl { background: var(--card); border: 1px solid var(--edge); border-radius: 12px; }
.tile { padding: 14px 16px; }
.tile b { display: block; font-size: 24px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--faint); font-size: 13px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; }
figure { margin: 0; padding: 16px 18px 12px; min-width: 0; }
figcaption { font-weight: 600; }
.legend {
  list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 4px 0 8px; padding: 0; color: var(--faint);
  font-size: 13px;
}
.key { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
.grid { stroke: var(--grid); }
.tick { fill: var(--faint); font-size: 12px; }
.axis { fill: var(--faint); font-size: 12.5px; }
.group { fill: var(--faint); font-size: 12.5px; } .value { fill: var(--ink); font-size: 12.5px; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
.dot { stroke: var(--card); stroke-width: 1.5; }
${Array.from({ length: 8 }, (_, i) => seriesStyle(`c${i}`)).join('\n')}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 10px; text-align: right; white-space: nowrap; border-top: 1px solid var(--edge); }
th { color: var(--faint); font-weight: 500; border-top: 0; } th:first-child, td:first-child { text-align: left; }
dl {
  display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0; padding: 16px 18px; font-size: 14px;
}
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
`;

function seriesStyle(name: string): string {
  const colour = `var(--${name})`;
  return (
    `.line.${name} { stroke: ${colour}; } .dot.${name}, .bar.${name} { fill: ${colour}; } ` +
    `.key.${name} { background: ${colour}; }`
  );
}
