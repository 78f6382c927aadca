// Reads a drawing as Mermaid does; prints what it takes for settings, and the labels.
import { readFileSync } from 'node:fs';
import { JSDOM } from 'jsdom';

const { window } = new JSDOM('');
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import('mermaid');
const text = readFileSync(0, 'utf8');
const { config } = await mermaid.parse(text);
const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
const labels = [...db.getVertices().values()].map(({ text: label }) => {
  const shown = document.createElement('p');
  shown.innerHTML = label;
  return shown.textContent;
});
console.log(JSON.stringify({ config, labels }));
