"""The look of a check's page and the few lines of script that search it; nothing is fetched from elsewhere."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6778; --paper: #fff; --card: #f4f6f9; --line: #d9dee7;
  --error: #c0392b; --warning: #b7791f; --note: #2b6cb0; --good: #2f855a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b8; --paper: #14181f; --card: #1d232d;
  --line: #313a48; --error: #ff8a7a; --warning: #f0c35e; --note: #7fb8f5; --good: #7bd3a4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; } a { color: var(--note); }
.verdict { font-size: 1.05rem; font-weight: 600; } .soft { color: var(--soft); }
.error { --tone: var(--error); } .warning { --tone: var(--warning); } .note { --tone: var(--note); }
.good { --tone: var(--good); } .verdict, .tag { color: var(--tone); }
.finding { border-left: 4px solid var(--tone); background: var(--card); padding: .6rem 1rem; margin: .5rem 0;
  border-radius: 0 6px 6px 0; overflow-wrap: anywhere; }
.tag { font-weight: 600; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: right; padding: .25rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; }
.plot { margin: 0; } .plot svg { width: 100%; height: 3.5rem; display: block; fill: var(--note); }
.plot path { stroke: var(--soft); fill: none; }
.plot figcaption { display: flex; justify-content: space-between; font-size: .8rem; color: var(--soft); }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; }
.case { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem; font-size: .85rem;
  overflow-wrap: anywhere; }
.case:target { outline: 2px solid var(--note); }
.case img { width: 100%; height: 9rem; object-fit: contain; background: #000; border-radius: 4px; }
.case[hidden] { display: none; }
.search { display: flex; gap: 1rem; align-items: center; flex-wrap: wrap; margin-bottom: .8rem; }
input[type=search] { font: inherit; padding: .35rem .6rem; min-width: 16rem; border: 1px solid var(--line);
  border-radius: 6px; background: var(--paper); color: inherit; }
"""

SCRIPT = """
const cases = [...document.querySelectorAll('.case')];
const words = document.getElementById('words'), only = document.getElementById('only');
const count = document.getElementById('count');
function show() {
  const wanted = words.value.trim().toLowerCase();
  let shown = 0;
  for (const one of cases) {
    one.hidden = !one.dataset.search.includes(wanted) || (only.checked && !one.dataset.findings);
    shown += !one.hidden;
  }
  count.textContent = shown + ' of ' + cases.length + ' shown';
}
words.addEventListener('input', show);
only.addEventListener('change', show);
show();
"""
