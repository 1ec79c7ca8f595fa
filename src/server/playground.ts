/** The page at /: one file, no framework, nothing fetched from elsewhere. Documents are parted by blank lines. */
export const playground = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>zrank</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --line: #8884; --accent: #2563eb; --cut: #b45309; }
  * { box-sizing: border-box; }
  body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; }
  h1 { font-size: 1.4rem; margin: 0; }
  h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
  header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
  label { display: block; margin-top: 1rem; font-weight: 600; }
  input, textarea, select, button { font: inherit; width: 100%; padding: .5rem; border: 1px solid var(--line); border-radius: .4rem; background: transparent; color: inherit; }
  textarea { min-height: 11rem; resize: vertical; }
  option { color: black; }
  .row { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0 1rem; }
  button { width: auto; margin-top: 1rem; padding: .5rem 1.5rem; background: var(--accent); border-color: var(--accent); color: white; cursor: pointer; }
  button[disabled] { opacity: .5; }
  ol { padding: 0; list-style: none; }
  li { border-top: 1px solid var(--line); padding: .6rem 0; display: grid; grid-template-columns: 4.5rem 1fr; gap: .75rem; }
  .score { font-variant-numeric: tabular-nums; font-weight: 600; }
  .bar { height: .3rem; border-radius: .2rem; background: var(--accent); margin-top: .25rem; }
  .text { white-space: pre-wrap; overflow-wrap: anywhere; }
  .cut { color: var(--cut); font-size: .85rem; }
  pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem; font-size: .85rem; }
  details { border-top: 1px solid var(--line); padding: .4rem 0; }
  summary { cursor: pointer; overflow-wrap: anywhere; }
  td, th { text-align: left; vertical-align: top; padding: .2rem .75rem .2rem 0; }
  table { font-size: .9rem; }
  #note { min-height: 1.5rem; }
  .error { color: #dc2626; }
</style>
</head>
<body>
<header><h1>zrank</h1><span id="about"></span></header>
<form id="form">
  <label for="query">Query</label>
  <input id="query" value="How do I keep bread fresh?" required>
  <label for="documents">Documents, parted by blank lines</label>
  <textarea id="documents" required>Keep bread in a paper bag at room temperature.

The parliament debates a tax on sugar.

A refrigerator makes bread stale; freeze what you cannot eat.

def area(radius): return 3.14159 * radius ** 2</textarea>
  <div class="row">
    <div><label for="instruction">Instruction, if any</label><input id="instruction"></div>
    <div><label for="model">Model</label><select id="model"><option value="">the first</option></select></div>
    <div><label for="key">API key, if one is needed</label><input id="key" type="password" autocomplete="off"></div>
  </div>
  <button>Rank</button>
</form>
<p id="note" role="status"></p>
<ol id="results"></ol>
<section id="call" hidden><h2>The same call</h2><pre id="curl"></pre></section>
<h2>API reference</h2>
<p>From <a href="openapi.json">openapi.json</a>.</p>
<div id="reference"></div>
<script>
const $ = (id) => document.getElementById(id);
const base = location.pathname.replace(/\\/$/, '');
const element = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const headers = () => ({ 'content-type': 'application/json', ...($('key').value && { authorization: 'Bearer ' + $('key').value }) });
// Any of these will do, since they take and give the same but for a name or two.
let path = '/rerank';
let list = 'documents';
const paths = ['/rerank', '/v1/rerank', '/v2/rerank', '/v1/models/rerank', '/voyage/v1/rerank'];
const schemasOf = ({ post }) => {
  const { schema } = post.requestBody.content['application/json'];
  return schema.anyOf && !schema.properties ? schema.anyOf : [schema];
};

$('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const documents = $('documents').value.split(/\\n\\s*\\n/).map((text) => text.trim()).filter(Boolean);
  const body = JSON.stringify({
    ...($('model').value && { model: $('model').value }),
    query: $('query').value,
    ...($('instruction').value && { instruction: $('instruction').value }),
    [list]: documents,
    return_documents: false,
  });
  const button = event.submitter;
  button.disabled = true;
  const started = performance.now();
  try {
    const response = await fetch(base + path, { method: 'POST', headers: headers(), body });
    const answer = await response.json();
    if (!response.ok) throw new Error(response.status + ': ' + (answer.message ?? answer.detail ?? answer.error?.message ?? answer.error));
    show(Array.isArray(answer) ? answer : answer.results ?? answer.data, documents, response.headers, performance.now() - started);
    const quoted = "'" + body.replaceAll("'", "'\\\\''") + "'";
    $('curl').textContent = 'curl ' + location.origin + base + path + " -H 'content-type: application/json'" +
      ($('key').value ? ' -H "authorization: Bearer $ZRANK_API_KEY"' : '') + ' \\\\\\n  -d ' + quoted;
    $('call').hidden = false;
  } catch (error) {
    $('note').textContent = error.message;
    $('note').className = 'error';
  } finally {
    button.disabled = false;
  }
});

function show(results, documents, replied, ms) {
  const cut = Number(replied.get('x-truncated-documents'));
  $('note').className = '';
  $('note').textContent = results.length + ' documents, ' + replied.get('x-compute-tokens') + ' tokens, ' + ms.toFixed(0) + ' ms, ' +
    replied.get('x-inference-time') + ' of them in the model' + (cut ? ', ' + cut + ' cut' : '');
  $('results').replaceChildren(...results.map(({ index, score: plain, relevance_score: score = plain, truncated }) => {
    const item = element('li');
    const left = element('div', score.toFixed(4), 'score');
    const bar = element('div', undefined, 'bar');
    bar.style.width = Math.max(2, 100 * score) + '%';
    left.append(bar);
    const right = element('div', documents[index], 'text');
    if (truncated) right.append(element('div', 'cut: the model has read its beginning alone', 'cut'));
    item.append(left, right);
    return item;
  }));
}

async function describe() {
  const models = await fetch(base + '/v1/models', { headers: headers() });
  if (models.ok) {
    const { data } = await models.json();
    $('about').textContent = data.map(({ id, max_model_len: length }) => id + ', ' + length + ' tokens').join('; ');
    $('model').replaceChildren(...data.map(({ id }) => element('option', id)));
  }
  const { paths: served } = await (await fetch(base + '/openapi.json')).json();
  path = paths.find((known) => served[base + known]) ?? path;
  list = schemasOf(served[base + path]).some(({ properties }) => properties.documents) ? 'documents' : 'texts';
  $('reference').replaceChildren(...Object.entries(served).map(([route, operation]) => {
    const entry = element('details');
    entry.append(element('summary', 'POST ' + route + ': ' + operation.post.summary));
    for (const { title, properties, required } of schemasOf(operation)) {
      entry.append(element('strong', title));
      const table = element('table');
      for (const [name, { description }] of Object.entries(properties)) {
        const row = element('tr');
        row.append(element('th', name + (required.includes(name) ? '' : '?')), element('td', description ?? ''));
        table.append(row);
      }
      entry.append(table);
    }
    return entry;
  }));
}
$('key').addEventListener('change', describe);
describe();
</script>
</body>
</html>
`;
