"use strict";
// Asks every model for an answer to the text and shows the answers side by side.
const MOST_LABELS = 10;  // shown of a classifier, the most probable first
const COLOURS = ["#ffd8a8", "#b2f2bb", "#a5d8ff", "#eebefa", "#ffec99", "#ffc9c9", "#c5f6fa", "#d8f5a2"];
const types = [];  // of entities, in the order in which they were seen; each keeps its colour
const answers = document.getElementById("answers");
const text = document.getElementById("text");
let cards = [];
let asked = 0;

function element(name, content, kind) {
  const made = document.createElement(name);
  if (content !== undefined) made.textContent = content;
  if (kind) made.className = kind;
  return made;
}

function spelled(labels) {
  return Array.isArray(labels) ? labels.join(", ") || "no label" : labels;
}

function labels(answer) {
  const sorted = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
  const list = element("div", undefined, "labels");
  for (const [label, probability] of sorted.slice(0, MOST_LABELS)) {
    const bar = element("meter");
    bar.value = probability;
    bar.setAttribute("aria-label", label);
    list.append(element("span", label), bar, element("span", `${(100 * probability).toFixed(1)} %`));
  }
  const shown = [element("p", spelled(answer.predicted), "answer"), list];
  if (sorted.length > MOST_LABELS) shown.push(element("p", `and ${sorted.length - MOST_LABELS} more`, "note"));
  return shown;
}

function marked(source, spans) {
  const characters = Array.from(source);  // code points, as the server counts
  const shown = element("p", undefined, "answer");
  shown.dir = "auto";
  let end = 0;
  for (const span of spans) {
    shown.append(characters.slice(end, span.start).join(""));
    const mark = element("mark", characters.slice(span.start, span.end).join(""));
    if (!types.includes(span.type)) types.push(span.type);
    mark.style.backgroundColor = COLOURS[types.indexOf(span.type) % COLOURS.length];
    mark.append(element("small", span.type));
    if (span.score !== undefined) mark.title = `${span.type}, ${(100 * span.score).toFixed(1)} %`;
    shown.append(mark);
    end = span.end;
  }
  shown.append(characters.slice(end).join(""));
  return spans.length ? [shown] : [shown, element("p", "nothing is marked", "note")];
}

function drawn(source, answer) {
  const shown = predicted(source, answer);
  if (answer.unsure) shown.unshift(element("p", `unsure: confidence ${(100 * answer.confidence).toFixed(1)} %`, "note"));
  return shown;
}

function predicted(source, answer) {
  if (answer.probabilities) return labels(answer);
  if (answer.entities || answer.tokens) return marked(source, answer.entities || answer.tokens);
  const shown = element("p", spelled(answer.predicted), "answer");
  shown.dir = "auto";
  return answer.cut ? [shown, element("p", "ended by the length limit", "note")] : [shown];
}

async function ask(card, source, number) {
  const start = performance.now();
  card.place.ariaBusy = "true";  // what is there answers an earlier text
  let shown;
  try {
    const request = { method: "POST", headers: { "Content-Type": "application/json" } };
    const response = await fetch("predict", { ...request, body: JSON.stringify({ text: source, model: card.name }) });
    const content = await response.json();
    shown = response.ok ? drawn(source, content.answer) : [element("p", content.error, "failure")];
    shown.push(element("p", `${content.version ?? ""} ${(performance.now() - start).toFixed(0)} ms`, "note"));
  } catch (error) {
    shown = [element("p", `no answer: ${error.message}`, "failure")];
  }
  if (number !== asked) return;  // a later text has been asked since
  card.place.replaceChildren(...shown);
  card.place.ariaBusy = "false";
}

document.getElementById("question").addEventListener("submit", (event) => {
  event.preventDefault();
  asked += 1;
  for (const card of cards) ask(card, text.value, asked);
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
});
fetch("health").then((response) => response.json()).then((health) => {
  cards = health.models.map((model) => {
    const article = element("article");
    const place = element("div");
    article.append(element("h2", model.name), element("p", model.task, "note"), place);
    answers.append(article);
    return { name: model.name, place };
  });
}).catch((error) => answers.append(element("p", `the server does not answer: ${error.message}`, "failure")));
