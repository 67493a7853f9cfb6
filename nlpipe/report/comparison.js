"use strict";
/* The page of a comparison: sorts the leaderboard, draws the charts, and shows the items on which pipelines differ. */
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7b4fb5", "#888888"]; // Okabe & Ito 2008

/** An element of HTML with text or children; texts are never read as HTML. */
function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}
/** An element of SVG. */
function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}
function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function options(select, values, names = values) {
  select.replaceChildren(...values.map((value, i) => element("option", { value }, names[i])));
}
const significant = (value) => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(2))));
const score = (value) => value.toFixed(data.digits);

/* ---- leaderboard ---- */

const table = byId("rows");
const headings = [...table.tHead.rows[0].cells];

/** The number that a cell begins with; what is missing is null, and other texts stay texts. */
function valueOf(text) {
  if (text === "–" || text === "") return null;
  const number = Number.parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text.toLowerCase() : number;
}
function sortBy(column) {
  const before = headings[column].getAttribute("aria-sort");
  const up = before ? before === "descending" : column === 0;
  headings.forEach((heading) => heading.removeAttribute("aria-sort"));
  headings[column].setAttribute("aria-sort", up ? "ascending" : "descending");
  const name = column === 0 ? (row) => row.cells[0].textContent.trim().toLowerCase() : (row) => valueOf(row.cells[column].textContent.trim());
  const rows = [...table.tBodies[0].rows].map((row) => [name(row), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // missing values last, whichever the direction
    const order = typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
    return up ? order : -order;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}
headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => sortBy(column)));

function showColumn(box) {
  const column = Number(box.dataset.column);
  for (const row of table.rows) row.cells[column].hidden = !box.checked;
}
for (const box of document.querySelectorAll("[data-column]")) {
  box.addEventListener("change", () => showColumn(box));
  showColumn(box); // a browser may have kept a box as it was before the page was loaded again
}

/* ---- charts ---- */

/** Round numbers that divide a range into about `count` parts. */
function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}
function decades(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const factor of [1, 2, 5]) {
      const value = Number((factor * 10 ** power).toPrecision(3));
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found.length > 8 ? found.filter((value) => String(value).replace(/[.0]/g, "") === "1") : found;
}
/** An empty chart with axes: where a value is, and the SVG element to draw into. */
function chart(place, { x, y, label }) {
  const width = Math.max(300, Math.min(760, place.clientWidth || 640));
  const height = Math.round(Math.min(380, width * 0.75));
  const [left, right, top, bottom] = [62, 18, 14, 46];
  const scale = (axis, from, to) => {
    const f = axis.log ? Math.log10 : (value) => value;
    const [low, high] = [f(axis.low), f(axis.high)];
    return (value) => from + ((f(value) - low) / (high - low || 1)) * (to - from);
  };
  const px = scale(x, left, width - right);
  const py = scale(y, height - bottom, top);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const xs = x.log ? decades(x.low, x.high) : ticks(x.low, x.high, width < 450 ? 4 : 7);
  for (const value of xs) {
    svg.append(shape("line", { class: "grid", x1: px(value), x2: px(value), y1: top, y2: height - bottom }));
    svg.append(shape("text", { class: "tick", x: px(value), y: height - bottom + 17, "text-anchor": "middle" }, x.text ? x.text(value) : String(value)));
  }
  for (const value of ticks(y.low, y.high, 5)) {
    svg.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: py(value), y2: py(value) }));
    svg.append(shape("text", { class: "tick", x: left - 6, y: py(value) + 4, "text-anchor": "end" }, String(value)));
  }
  svg.append(shape("path", { class: "axis", d: `M${left},${top}V${height - bottom}H${width - right}` }));
  svg.append(shape("text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, x.title));
  svg.append(shape("text", { x: 14, y: (top + height - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(top + height - bottom) / 2})` }, y.title));
  place.replaceChildren(svg);
  return { svg, px, py, left, right: width - right, top, bottom: height - bottom, width };
}
/** A mark that shows `lines` when it is pointed at or has the keyboard. */
function point(drawn, x, y, kind, lines, stroke = null) {
  const long = Math.max(...lines.map((line) => line.length)) * 7.2 + 16;
  const high = lines.length * 18 + 8;
  const tx = Math.max(2, Math.min(x + 10, drawn.width - long - 2));
  const ty = y - high - 8 < 0 ? y + 12 : y - high - 8;
  const tip = shape("g", { class: "tip", "aria-hidden": "true" }, shape("rect", { x: tx, y: ty, width: long, height: high, rx: 4 }));
  lines.forEach((line, i) => tip.append(shape("text", { x: tx + 8, y: ty + 18 + i * 18 }, line)));
  const group = shape("g", { class: "point", tabindex: "0", role: "img", "aria-label": lines.join(", ") }, shape("circle", { class: `dot ${kind}`, cx: x, cy: y, r: stroke ? 4 : 6, ...(stroke ? { style: `stroke:${stroke}` } : {}) }), tip);
  group.addEventListener("pointerenter", () => drawn.svg.append(group)); // above the others
  drawn.svg.append(group);
}
function padded(values, share = 0.06) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * share;
  return [low - room, high + room];
}
const redrawn = [];
function draws(draw) { redrawn.push(draw); draw(); }
let waiting = 0;
let widthBefore = window.innerWidth;
window.addEventListener("beforeprint", () => document.querySelectorAll("details.printed").forEach((each) => { each.open = true; }));
window.addEventListener("resize", () => {
  if (window.innerWidth === widthBefore) return; // the bar of a phone's browser comes and goes
  widthBefore = window.innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(() => redrawn.forEach((draw) => draw()), 150);
});
const title = (name) => name.replaceAll("_", " ");

/* Cost against score: only the rows that the verdict is about. */
const last = data.rows.filter((row) => row.last);
const measured = data.costs.filter((cost) => last.some((row) => cost.name in row.costs));
const costSelect = byId("cost-axis");
if (costSelect && measured.length) {
  options(costSelect, measured.map((cost) => cost.name), measured.map((cost) => (cost.unit ? `${cost.words} (${cost.unit})` : cost.words)));
  const draw = () => {
    const cost = measured.find((each) => each.name === costSelect.value);
    const rows = last.filter((row) => cost.name in row.costs).sort((a, b) => a.costs[cost.name] - b.costs[cost.name]);
    const values = rows.map((row) => row.costs[cost.name]);
    const all = cost.budget === null ? values : [...values, cost.budget];
    const log = Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > 5;
    let [low, high] = log ? [Math.min(...all) / 1.25, Math.max(...all) * 1.25] : padded(all);
    if (!log) low = Math.max(0, low);
    const [bottom, top] = padded(rows.flatMap((row) => [row.score, row.low ?? row.score, row.high ?? row.score]));
    const unit = cost.unit ? ` ${cost.unit}` : "";
    const drawn = chart(byId("cost-chart"), {
      x: { low, high, log, title: cost.words + (cost.unit ? ` in ${cost.unit}` : "") + (log ? " (logarithmic)" : ""), text: (value) => value.toLocaleString("en") },
      y: { low: bottom, high: top, title: title(data.primary) },
      label: `${title(data.primary)} against ${cost.words} of ${rows.length} pipelines; the table above has the numbers`,
    });
    const sign = data.higher ? 1 : -1;
    const front = [];
    for (const row of rows) if (!front.length || sign * row.score > sign * front.at(-1).score) front.push(row);
    if (cost.budget !== null) {
      const x = drawn.px(cost.budget);
      drawn.svg.append(shape("rect", { class: "over", x, y: drawn.top, width: Math.max(0, drawn.right - x), height: drawn.bottom - drawn.top }));
      drawn.svg.append(shape("line", { class: "budget", x1: x, x2: x, y1: drawn.top, y2: drawn.bottom }));
      drawn.svg.append(shape("text", { class: "tick", x: x - 5, y: drawn.top + 12, "text-anchor": "end" }, `budget ${significant(cost.budget)}${unit}`));
    }
    drawn.svg.append(shape("path", {
      class: "front",
      d: front.map((row, i) => (i ? `H${drawn.px(row.costs[cost.name])}V${drawn.py(row.score)}` : `M${drawn.px(row.costs[cost.name])},${drawn.py(row.score)}`)).join("") + `H${drawn.right}`,
    }));
    for (const row of rows) {
      const x = drawn.px(row.costs[cost.name]);
      if (row.low !== null) drawn.svg.append(shape("line", { class: "whisker", x1: x, x2: x, y1: drawn.py(row.low), y2: drawn.py(row.high) }));
    }
    const taken = rows.map((row) => [drawn.px(row.costs[cost.name]) - 9, drawn.py(row.score), 18]);
    for (const row of rows) { // names where there is room
      const x = drawn.px(row.costs[cost.name]);
      const y = drawn.py(row.score);
      const wide = row.title.length * 7;
      const left = x + 10 + wide > drawn.right ? x - 10 - wide : x + 10;
      if (left < drawn.left || taken.some(([a, b, w]) => Math.abs(b - y) < 15 && left < a + w && a < left + wide)) continue;
      taken.push([left, y, wide]);
      drawn.svg.append(shape("text", { x: left, y: y - 4, class: "tick" }, row.title));
    }
    for (const row of rows) {
      const kind = [row.chosen ? "chosen" : "", front.includes(row) ? "on-front" : ""].join(" ");
      const lines = [row.title + (row.chosen ? " (chosen)" : ""), `${title(data.primary)} ${score(row.score)}${row.low === null ? "" : ` (${score(row.low)} – ${score(row.high)})`}`, `${cost.words} ${significant(row.costs[cost.name])}${unit}`];
      point(drawn, drawn.px(row.costs[cost.name]), drawn.py(row.score), kind, lines);
    }
    const missing = last.filter((row) => !(cost.name in row.costs)).map((row) => row.title);
    byId("cost-note").textContent = `The line joins the pipelines that no cheaper one scores at least as well as (the Pareto front): ${front.map((row) => row.title).join(", ")}. The bars are 95 % intervals.` + (missing.length ? ` Not measured: ${missing.join(", ")}.` : "");
  };
  costSelect.addEventListener("change", draw);
  draws(draw);
} else if (costSelect) {
  costSelect.closest("section").hidden = true;
}

/* Tolerance against the cheapest pipeline that qualifies. */
if (byId("curve-chart")) {
  draws(() => {
    const steps = data.curve;
    const [first] = measured;
    const costs = steps.map(([, name]) => last.find((row) => row.name === name)?.costs[first?.name]);
    if (!first || costs.some((cost) => cost === undefined)) return;
    const high = Math.max(steps.at(-1)[0], data.tolerance) * 1.25 || 1;
    const positive = Math.min(...costs) > 0;
    const drawn = chart(byId("curve-chart"), {
      x: { low: 0, high, title: `tolerance in ${title(data.primary)}` },
      y: { low: positive ? Math.min(...costs) / 1.5 : 0, high: Math.max(...costs) * 1.3 || 1, log: false, title: `${first.words} ${first.unit ? `in ${first.unit}` : ""}` },
      label: "The cost of the cheapest pipeline that qualifies, by tolerance; the table below has the numbers",
    });
    const asked = drawn.px(data.tolerance);
    drawn.svg.append(shape("line", { class: "asked", x1: asked, x2: asked, y1: drawn.top, y2: drawn.bottom }));
    drawn.svg.append(shape("text", { class: "tick", x: asked + 4, y: drawn.top + 10 }, "asked"));
    drawn.svg.append(shape("path", { class: "front", d: steps.map(([at], i) => (i ? `H${drawn.px(at)}V${drawn.py(costs[i])}` : `M${drawn.px(at)},${drawn.py(costs[i])}`)).join("") + `H${drawn.right}` }));
    steps.forEach(([at, name], i) => point(drawn, drawn.px(at), drawn.py(costs[i]), "on-front", [name, `from ${at.toPrecision(3)} on`, `${first.words} ${significant(costs[i])} ${first.unit}`]));
  });
}

/** Lines of several series with a legend; a series is {title, points: [[x, y, low, high]]}. */
function lines(place, series, axes) {
  const shown = series.filter((each) => each.points.length);
  if (!shown.length) { place.replaceChildren(element("p", { class: "note" }, "Nothing was recorded.")); return; }
  const every = shown.flatMap((each) => each.points);
  const [low, high] = axes.y.range ?? padded(every.flatMap((p) => [p[1], p[2] ?? p[1], p[3] ?? p[1]]));
  const [from, to] = axes.x.range ?? padded(every.map((p) => p[0]), 0.03);
  const drawn = chart(place, { x: { ...axes.x, low: axes.x.log ? Math.min(...every.map((p) => p[0])) / 1.2 : from, high: axes.x.log ? Math.max(...every.map((p) => p[0])) * 1.2 : to }, y: { ...axes.y, low, high }, label: axes.label });
  if (axes.diagonal) drawn.svg.append(shape("line", { class: "asked", x1: drawn.px(Math.max(from, low)), y1: drawn.py(Math.max(from, low)), x2: drawn.px(1), y2: drawn.py(1) }));
  const legend = element("p", { class: "note" });
  shown.forEach((each, i) => {
    const stroke = COLOURS[i % COLOURS.length];
    const dash = ["", "7 4", "2 3"][Math.floor(i / COLOURS.length) % 3];
    drawn.svg.append(shape("path", { class: each.law ? "series faint" : "series", stroke, "stroke-dasharray": dash, d: each.points.map((p, k) => `${k ? "L" : "M"}${drawn.px(p[0])},${drawn.py(p[1])}`).join("") }));
    if (each.law) drawn.svg.append(shape("path", { class: "law", stroke, d: each.law.map((p, k) => `${k ? "L" : "M"}${drawn.px(p[0])},${drawn.py(p[1])}`).join("") }));
    for (const p of each.points) if (p[2] != null) drawn.svg.append(shape("line", { stroke, opacity: 0.5, x1: drawn.px(p[0]), x2: drawn.px(p[0]), y1: drawn.py(p[2]), y2: drawn.py(p[3]) }));
    const key = shape("svg", { width: 26, height: 10, "aria-hidden": "true", style: "display:inline" }, shape("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke, "stroke-width": 3, "stroke-dasharray": dash }));
    legend.append(element("span", { style: "margin-right:1rem;white-space:nowrap" }, key, each.title));
  });
  shown.forEach((each, i) => each.points.forEach((p) => point(drawn, drawn.px(p[0]), drawn.py(p[1]), "", [each.title, axes.tell(p)], COLOURS[i % COLOURS.length])));
  place.append(legend);
}

const sizes = new Set(data.rows.map((row) => row.size));
if (sizes.size > 1) {
  byId("learning").hidden = false;
  const names = [...new Set(data.rows.map((row) => row.name))];
  draws(() => lines(byId("learning-chart"), names.map((name) => ({
    title: name, law: data.laws[name],
    points: data.rows.filter((row) => row.name === name && (row.examples ?? row.size) !== null).map((row) => [row.examples ?? row.size, row.score, row.low, row.high]).sort((a, b) => a[0] - b[0]),
  })), {
    x: { log: true, title: "training examples (logarithmic)", text: (value) => value.toLocaleString("en") }, y: { title: title(data.primary) },
    label: "Score by number of training examples; the leaderboard has the numbers",
    tell: (p) => `${p[0].toLocaleString("en")} examples: ${score(p[1])}`,
  }));
}

if (byId("loss-chart")) {
  const select = byId("loss-value");
  const draw = () => {
    const column = Number(select.value);
    lines(byId("loss-chart"), data.losses.map((each) => ({ title: each.title, points: each.epochs.filter((epoch) => epoch[column] !== null).map((epoch) => [epoch[0], epoch[column]]) })), {
      x: { title: "epoch" }, y: { title: column === 1 ? "training loss in nats" : "score on dev" }, label: "The course of training",
      tell: (p) => `epoch ${p[0]}: ${p[1].toFixed(4)}`,
    });
  };
  select.addEventListener("change", draw);
  draws(draw);
}

if (byId("confusion")) {
  const select = byId("confusion-of");
  options(select, Object.keys(data.confusion));
  const draw = () => {
    const counts = new Map(data.confusion[select.value].map(([gold, given, count]) => [JSON.stringify([gold, given]), count]));
    const head = element("tr", {}, element("th", { scope: "col" }, "wanted ↓ answered →"), ...data.labels.map((label) => element("th", { scope: "col" }, label)), element("th", { scope: "col" }, "right"));
    const body = element("tbody");
    for (const gold of data.labels) {
      const row = data.labels.map((given) => counts.get(JSON.stringify([gold, given])) ?? 0);
      const total = row.reduce((a, b) => a + b, 0);
      const right = row[data.labels.indexOf(gold)];
      body.append(element("tr", {}, element("th", { scope: "row" }, gold), ...row.map((count) => element("td", { style: `--v:${total ? count / total : 0}` }, count.toLocaleString("en"))), element("td", {}, total ? `${((100 * right) / total).toFixed(1)} %` : "–")));
    }
    byId("confusion").replaceChildren(element("table", { class: "heat" }, element("caption", {}, `Answers of ${select.value}, those of ${data.answered_by}: each row is a wanted label.`), element("thead", {}, head), body));
  };
  select.addEventListener("change", draw);
  draw();
}

if (byId("calibration-chart")) {
  const select = byId("calibration-of");
  const names = Object.keys(data.calibration);
  options(select, ["", ...names], ["all", ...names]);
  const draw = () => {
    const chosen = select.value ? [select.value] : names;
    const bins = chosen.flatMap((name) => data.calibration[name]);
    const low = Math.max(0, Math.min(...bins.flatMap((bin) => [bin.confidence, bin.right])) - 0.05);
    lines(byId("calibration-chart"), chosen.map((name) => ({ title: name, points: data.calibration[name].map((bin) => [bin.confidence, bin.right]) })), {
      x: { title: "probability of the answer", range: [low, 1] }, y: { title: "share of right answers", range: [low, 1.01] }, diagonal: true,
      label: "Share of right answers by the probability of the answer", tell: (p) => `said ${(100 * p[0]).toFixed(0)} %, right ${(100 * p[1]).toFixed(0)} %`,
    });
  };
  select.addEventListener("change", draw);
  draws(draw);
}

/* ---- risk and coverage ---- */

if (byId("coverage-chart")) {
  const select = byId("coverage-of");
  const names = Object.keys(data.coverage);
  options(select, ["", ...names], ["all", ...names]);
  const draw = () => {
    const chosen = select.value ? [select.value] : names;
    const high = Math.max(0.05, ...chosen.flatMap((name) => data.coverage[name].points.map((point) => point[1])));
    lines(byId("coverage-chart"), chosen.map((name) => ({ title: name, points: data.coverage[name].points })), {
      x: { title: "share of answers kept, the surest first", range: [0, 1.01] }, y: { title: "share of wrong answers", range: [0, high * 1.05] },
      label: "Share of wrong answers by the share of answers kept", tell: (p) => `the surest ${(100 * p[0]).toFixed(0)} %: ${(100 * p[1]).toFixed(1)} % wrong`,
    });
  };
  select.addEventListener("change", draw);
  draws(draw);
}

/* ---- items on which pipelines differ ---- */

const PAGE = 25;
const explorer = data.disagreements;
if (explorer && byId("explorer")) {
  const { kind, pipelines, items } = explorer;
  const form = byId("explorer").elements;
  const places = pipelines.map((_, i) => String(i));
  options(form.a, places, pipelines);
  options(form.b, places, pipelines);
  const chosen = last.find((row) => row.chosen);
  const best = [...last].sort((a, b) => (data.higher ? b.score - a.score : a.score - b.score)).map((row) => pipelines.indexOf(row.title)).filter((i) => i >= 0);
  const a = chosen && pipelines.includes(chosen.title) ? pipelines.indexOf(chosen.title) : best[0] ?? 0;
  form.a.value = String(a);
  form.b.value = String(best.find((i) => i !== a) ?? (a === 0 ? 1 : 0));
  if (kind === "labels") {
    const labels = [...new Set(items.map((item) => item.v[0]))].sort();
    options(form.gold, ["", ...labels.map((label) => `=${label}`)], ["any label", ...labels]);
  } else if (kind === "sets") {
    const labels = [...new Set(items.flatMap((item) => item.v[0]))].sort();
    options(form.gold, ["", ...labels.map((label) => `=${label}`), "none"], ["any label", ...labels, "none"]);
  } else if (kind === "entities") {
    const types = [...new Set(items.flatMap((item) => item.v[0].map((unit) => unit[2])))].sort();
    options(form.gold, ["", ...types.map((type) => `=${type}`)], ["any type", ...types]);
  } else {
    byId("gold-filter").hidden = true;
    options(form.gold, [""]);
  }
  const source = (item) => (typeof item.t === "string" ? item.t : item.t.join(" "));
  for (const item of items) { // once, so that filters are quick
    item.scores = item.a.map((variant) => item.s[variant]);
    item.mean = item.scores.reduce((sum, value) => sum + value, 0) / item.scores.length;
    item.rights = item.a.filter((variant) => item.v[variant] === item.v[0]).length;
    item.found = `${source(item)}\n${["labels", "sets", "texts"].includes(kind) ? item.v.join("\n") : ""}`.toLowerCase();
  }
  const total = explorer.differ + explorer.wrong_alike;
  if (kind === "probabilities") for (const name of ["wrong", "nobody", "one"]) form.show.querySelector(`[value=${name}]`).remove();
  byId("explorer-note").textContent =
    (kind === "probabilities"
      ? `How well each pipeline expected the ${total.toLocaleString("en")} ${data.items}: its ${data.primary.replaceAll("_", " ")}, where lower is better. `
      : `Pipelines differ on ${explorer.differ.toLocaleString("en")} ${data.items} and are all wrong in the same way on ${explorer.wrong_alike.toLocaleString("en")}. `) +
    (items.length < total ? `${items.length.toLocaleString("en")} of them, drawn at random, are in this file; the run folders have the others. ` : "") +
    `The answers are those of ${data.answered_by}.`;

  let hits = [];
  let shown = 0;
  function matches(item, i, j, what, gold, words) {
    const [p, q] = [item.scores[i], item.scores[j]];
    if (what === "differ" && item.a[i] === item.a[j]) return false;
    if (what === "a" && p <= q) return false;
    if (what === "b" && q <= p) return false;
    if (what === "wrong" && (item.a[i] === 0 || item.a[j] === 0)) return false;
    if (what === "nobody" && item.rights > 0) return false;
    if (what === "one" && item.rights !== 1) return false;
    if (kind === "sets" && gold && !(gold === "none" ? item.v[0].length === 0 : item.v[0].includes(gold.slice(1)))) return false;
    if (kind !== "sets" && gold && !(kind === "labels" ? item.v[0] === gold.slice(1) : item.v[0].some((unit) => unit[2] === gold.slice(1)))) return false;
    return words.every((word) => item.found.includes(word));
  }
  function filter() {
    const [i, j] = [Number(form.a.value), Number(form.b.value)];
    const words = form.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = items.filter((item) => matches(item, i, j, form.show.value, form.gold.value, words));
    if (form.order.value === "mean") hits.sort((x, y) => x.mean - y.mean || x.n - y.n);
    if (form.order.value === "gap") hits.sort((x, y) => Math.abs(y.scores[i] - y.scores[j]) - Math.abs(x.scores[i] - x.scores[j]) || x.n - y.n);
    shown = 0;
    byId("examples").replaceChildren();
    more();
  }
  function more() {
    const next = hits.slice(shown, shown + PAGE);
    byId("examples").append(...next.map(drawItem));
    shown += next.length;
    byId("more").hidden = shown >= hits.length;
    byId("explorer-count").textContent = hits.length ? `${shown.toLocaleString("en")} of ${hits.length.toLocaleString("en")} matching items` : "No item matches.";
  }
  /** Pipelines of the same answer together; A and B are in bold. */
  function drawItem(item) {
    const list = element("dl");
    if (kind !== "probabilities") list.append(element("dt", {}, kind === "texts" ? "reference" : "wanted"), element("dd", {}, ...drawAnswer(item, 0, true)));
    const order = [...item.v.keys()].filter((variant) => item.a.includes(variant)).sort((x, y) => item.s[y] - item.s[x] || x - y);
    for (const variant of order) {
      const picked = [Number(form.a.value), Number(form.b.value)];
      const names = pipelines.map((name, i) => [name, i]).filter(([, i]) => item.a[i] === variant);
      const bold = names.some(([, i]) => picked.includes(i));
      const right = variant === 0;
      const mark = element("span", { class: `verdict-mark ${right ? "right" : "wrong"}` }, right ? "✓ right " : "✗ ");
      const value = right || kind === "labels" ? [] : [element("span", { class: "note" }, kind === "texts" ? ` chrF ${item.s[variant]}` : kind === "entities" ? ` F1 ${item.s[variant]} %` : kind === "sets" ? ` ${item.s[variant]} % alike` : ` ${item.s[variant]} % of tags`)];
      list.append(element("dt", bold ? { class: "picked" } : {}, names.map(([name]) => name).join(", ")));
      if (kind === "probabilities") {
        list.append(element("dd", {}, item.v[variant].toFixed(3)));
        continue;
      }
      list.append(element("dd", {}, mark, ...(right && !["labels", "sets"].includes(kind) ? [] : drawAnswer(item, variant, false)), ...value));
    }
    const parts = [element("span", { class: "number" }, `item ${item.n}`)];
    if (kind !== "entities" && source(item)) parts.push(element("p", { class: "text", dir: "auto" }, ...marked(source(item))));
    return element("li", {}, ...parts, list);
  }
  function drawAnswer(item, variant, wanted) {
    const answer = item.v[variant];
    if (kind === "labels") return [answer];
    if (kind === "sets") return [answer.join(", ") || "none"];
    if (kind === "texts") return [element("span", { dir: "auto" }, ...(wanted ? marked(answer) : difference(item.v[0], answer)))];
    if (kind === "entities") return [element("span", { dir: "auto" }, ...drawEntities(item, variant, wanted))];
    return [element("span", { dir: "auto" }, ...item.t.flatMap((word, t) => {
      const text = `${word}/${answer[t]}`;
      return [wanted || answer[t] === item.v[0][t] ? (wanted ? text : "") : element("span", { class: "entity bad" }, text), wanted || answer[t] !== item.v[0][t] ? " " : ""];
    }))];
  }
  /** The sentence with its entities; those that are not wanted are marked as bad, and those that were missed are named. */
  function drawEntities(item, variant, wanted) {
    const gold = new Set(item.v[0].map(String));
    const parts = [];
    let place = 0;
    for (const [first, end, type] of item.v[variant]) {
      if (first > place) parts.push(...marked(item.t.slice(place, first).join(" ")), " ");
      const good = wanted || gold.has(String([first, end, type]));
      parts.push(element("span", { class: `entity ${good ? "good" : "bad"}` }, ...marked(item.t.slice(first, end).join(" ")), element("small", {}, (good ? "" : "✗ ") + type)), " ");
      place = end;
    }
    parts.push(...marked(item.t.slice(place).join(" ")));
    const given = new Set(item.v[variant].map(String));
    const missed = item.v[0].filter((unit) => !given.has(String(unit)));
    if (missed.length) parts.push(element("span", { class: "note" }, ` missed: ${missed.map(([first, end, type]) => `${item.t.slice(first, end).join(" ")} (${type})`).join(", ")}`));
    return parts;
  }
  /** A text with the words of the search marked. */
  function marked(text) {
    const words = form.search.value.split(/\s+/).filter(Boolean);
    if (!words.length) return [text];
    const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
    return text.split(pattern).map((part, i) => (i % 2 ? element("mark", {}, part) : part));
  }
  /** The answer with the words that the reference lacks marked, and those of the reference that it lacks struck out. */
  function difference(reference, answer) {
    const [x, y] = [reference, answer].map((text) => text.split(/\s+/).filter(Boolean).slice(0, 300));
    const common = Array.from({ length: x.length + 1 }, () => new Uint16Array(y.length + 1)); // longest common subsequence
    for (let i = x.length - 1; i >= 0; i -= 1) {
      for (let j = y.length - 1; j >= 0; j -= 1) common[i][j] = x[i] === y[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
    const parts = [];
    let [i, j] = [0, 0];
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) { parts.push(x[i]); i += 1; j += 1; }
      else if (j < y.length && (i === x.length || common[i][j + 1] >= common[i + 1][j])) { parts.push(element("ins", { title: "not in the reference" }, y[j])); j += 1; }
      else { parts.push(element("del", { title: "in the reference" }, x[i])); i += 1; }
      parts.push(" ");
    }
    return parts.length ? parts : [element("em", {}, "empty")];
  }
  let typing = 0;
  byId("explorer").addEventListener("submit", (event) => event.preventDefault());
  byId("explorer").addEventListener("change", filter);
  form.search.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(filter, 120); });
  byId("more").addEventListener("click", more);
  filter();
}
})();
