"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const nodes = data.nodes, edges = data.edges, W = data.width, H = data.height;
const marks = { create: "+", update: "~", recheck: "?", delete: "-", move: ">", import: "<", no_op: " " };
const words = { create: "create", update: "update", recheck: "recheck", delete: "delete", move: "move", import: "import", no_op: "unchanged" };

// Text from plan files goes into the page as text nodes only.
function el(tag, cls, text) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text !== undefined) e.textContent = text;
  return e;
}

// ---- neighbours
const up = nodes.map(() => []), down = nodes.map(() => []);
for (let k = 0; k < edges.length; k += 3) { up[edges[k + 1]].push(edges[k]); down[edges[k]].push(edges[k + 1]); }
const byAddress = new Map(nodes.map((n, i) => [n.a, i]));

// ---- canvas
const canvas = $("graph"), ctx = canvas.getContext("2d");
let scale = 1, ox = 0, oy = 0, width = 0, height = 0, selected = -1, hits = null, pending = false, colours = {}, reach = null;

function readColours() {
  const s = getComputedStyle(document.documentElement);
  for (const name of ["page", "panel", "text", "soft", "line", "accent", "edge", ...Object.keys(marks)])
    colours[name] = s.getPropertyValue("--" + name).trim();
}
let left = 0, right = 1, top = 0, bottom = 1;
if (nodes.length) {
  left = top = Infinity; right = bottom = -Infinity;
  for (const n of nodes) {
    left = Math.min(left, n.x); right = Math.max(right, n.x + W); top = Math.min(top, n.y); bottom = Math.max(bottom, n.y + H);
  }
}
function resize() {
  const box = canvas.parentElement.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  width = box.width; height = box.height;
  canvas.width = Math.max(1, Math.round(width * ratio)); canvas.height = Math.max(1, Math.round(height * ratio));
}
const margins = { x: 24, top: 56, bottom: 64 };
function fit() {
  const w = right - left, h = bottom - top, room = { w: width - 2 * margins.x, h: height - margins.top - margins.bottom };
  scale = Math.max(0.005, Math.min(1.1, room.w / w, room.h / h));
  ox = margins.x + (room.w - w * scale) / 2 - left * scale; oy = margins.top + (room.h - h * scale) / 2 - top * scale;
}
function later() { if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; draw(); }); } }

function edgePath(k) {
  const a = nodes[edges[k]], b = nodes[edges[k + 1]];
  const x1 = a.x + W, y1 = a.y + H / 2, x2 = b.x, y2 = b.y + H / 2;
  const x0 = Math.min(x1, x2), xm = Math.max(x1, x2);
  if (xm < view.l || x0 > view.r || Math.max(y1, y2) < view.t || Math.min(y1, y2) > view.b) return;
  ctx.moveTo(x1, y1);
  if (scale < 0.3) { ctx.lineTo(x2, y2); return; }
  const bend = Math.max(30, Math.min(160, Math.abs(x2 - x1) / 2));
  // An edge that passes a layer at the height of its ends would hide behind the nodes there: it takes a bow.
  const bow = x2 - x1 > W && Math.abs(y2 - y1) < H ? Math.min(150, 30 + (x2 - x1) * 0.08) : 0;
  ctx.bezierCurveTo(x1 + bend, y1 - bow, x2 - bend, y2 - bow, x2, y2);
  if (scale > 0.45) { ctx.moveTo(x2 - 6, y2 - 3.5); ctx.lineTo(x2, y2); ctx.lineTo(x2 - 6, y2 + 3.5); }
}
let view = { l: 0, r: 0, t: 0, b: 0 };
function drawEdges() {
  const dense = Math.min(1, 6000 / (edges.length / 3 + 1));
  for (const kind of [0, 1, 2]) {
    ctx.beginPath();
    for (let k = 0; k < edges.length; k += 3) if (edges[k + 2] === kind) edgePath(k);
    ctx.setLineDash(kind === 0 ? [] : kind === 1 ? [5, 4] : [2, 4]);
    ctx.strokeStyle = colours.edge;
    ctx.lineWidth = Math.max(1, 0.5 / scale);
    ctx.globalAlpha = reach || hits ? 0.12 : Math.max(0.2, 0.75 * dense);
    ctx.stroke();
  }
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
  if (!reach) return;
  ctx.beginPath();
  for (let k = 0; k < edges.length; k += 3) if (reach.has(edges[k]) && reach.has(edges[k + 1])) edgePath(k);
  ctx.strokeStyle = colours.accent;
  ctx.lineWidth = Math.max(1.5, 1 / scale);
  ctx.stroke();
}
function shape(n) {
  ctx.beginPath();
  if (n.k === "publish") { // a house on its side, as in the legend: where things leave
    ctx.moveTo(n.x, n.y); ctx.lineTo(n.x + W - 12, n.y); ctx.lineTo(n.x + W, n.y + H / 2); ctx.lineTo(n.x + W - 12, n.y + H); ctx.lineTo(n.x, n.y + H); ctx.closePath();
  } else ctx.roundRect(n.x, n.y, W, H, n.k === "input" ? H / 2 : 5);
}
function drawNode(n, i) {
  const colour = colours[n.s] || colours.no_op, off = (reach && !reach.has(i)) || (hits && !hits.has(i));
  ctx.globalAlpha = off ? 0.22 : 1;
  if (scale < 0.25) { ctx.fillStyle = colour; ctx.fillRect(n.x, n.y, W, H); return; }
  shape(n);
  ctx.fillStyle = colours.panel; ctx.fill();
  if (n.s !== "no_op") { ctx.globalAlpha *= n.d && n.d.cached ? 0.07 : 0.18; ctx.fillStyle = colour; ctx.fill(); ctx.globalAlpha = off ? 0.22 : 1; }
  ctx.strokeStyle = i === selected ? colours.accent : colour;
  ctx.lineWidth = i === selected ? 3 : n.s === "no_op" ? 1 : 1.6;
  ctx.setLineDash(n.d && n.d.certainty !== "must" ? [6, 3] : []);
  ctx.stroke();
  ctx.setLineDash([]);
  if (scale < 0.25) return;
  const mark = marks[n.s] || "*", size = Math.min(21, Math.max(12, 9.5 / scale)), inset = mark === " " ? 9 : 11 + size;
  ctx.fillStyle = n.s === "no_op" ? colours.soft : colours.text;
  ctx.font = size + "px ui-monospace, Menlo, 'DejaVu Sans Mono', monospace";
  ctx.textBaseline = "middle";
  ctx.fillText(label(n.a, Math.floor((W - inset - (n.k === "publish" ? 12 : 6)) / (size * 0.605))), n.x + inset, n.y + H / 2 + 0.5);
  if (mark !== " ") { ctx.fillStyle = colour; ctx.font = "bold " + ctx.font; ctx.fillText(mark, n.x + 9, n.y + H / 2 + 0.5); }
}
// label shortens an address: the kind goes first, then the brackets around the key, then the middle.
function label(address, max) {
  if (address.length > max) address = address.replace(/(^|\.)(stage|input|publish)\.(?=[^."\[]+(\[|$))/, "$1");
  if (address.length > max) address = address.replace(/\["([^"]*)"\]$/, " $1");
  if (address.length <= max) return address;
  const end = Math.ceil((max - 1) * 0.6);
  return address.slice(0, max - 1 - end) + "…" + address.slice(-end);
}
function draw() {
  const ratio = window.devicePixelRatio || 1;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.fillStyle = colours.page;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.setTransform(scale * ratio, 0, 0, scale * ratio, ox * ratio, oy * ratio);
  view = { l: -ox / scale, r: (width - ox) / scale, t: -oy / scale, b: (height - oy) / scale };
  drawEdges();
  for (let i = 0; i < nodes.length; i++) {
    const n = nodes[i];
    if (n.x + W < view.l || n.x > view.r || n.y + H < view.t || n.y > view.b) continue;
    drawNode(n, i);
  }
  ctx.globalAlpha = 1;
}
function nodeAt(px, py) {
  const x = (px - ox) / scale, y = (py - oy) / scale, slack = Math.max(0, 3 / scale);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const n = nodes[i];
    if (x >= n.x - slack && x <= n.x + W + slack && y >= n.y - slack && y <= n.y + H + slack) return i;
  }
  return -1;
}
function zoomAt(px, py, factor) {
  const to = Math.max(0.005, Math.min(4, scale * factor));
  ox = px - (px - ox) * to / scale; oy = py - (py - oy) * to / scale; scale = to;
  later();
}
function goTo(i) {
  const n = nodes[i], covered = $("detail").hidden || innerWidth <= 900 ? 0 : $("detail").offsetWidth;
  scale = Math.max(scale, 0.85);
  ox = (width - covered) / 2 - (n.x + W / 2) * scale; oy = height / 2 - (n.y + H / 2) * scale;
}

// ---- pointer and keys
let drag = null;
const pointers = new Map();
canvas.addEventListener("pointerdown", e => {
  canvas.setPointerCapture(e.pointerId);
  pointers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
  drag = { x: e.offsetX, y: e.offsetY, moved: pointers.size > 1 };
});
canvas.addEventListener("pointermove", e => {
  const before = pointers.get(e.pointerId);
  if (!before) { hover(e); return; }
  const now = { x: e.offsetX, y: e.offsetY };
  if (pointers.size === 2) {
    const other = [...pointers].find(([id]) => id !== e.pointerId)[1];
    const was = Math.hypot(before.x - other.x, before.y - other.y), is = Math.hypot(now.x - other.x, now.y - other.y);
    if (was > 0) zoomAt((now.x + other.x) / 2, (now.y + other.y) / 2, is / was);
  } else if (drag && (drag.moved || Math.hypot(now.x - drag.x, now.y - drag.y) > 3)) {
    drag.moved = true; canvas.classList.add("drag");
    ox += now.x - before.x; oy += now.y - before.y;
    later();
  }
  pointers.set(e.pointerId, now);
});
function release(e) {
  pointers.delete(e.pointerId);
  if (e.type === "pointerup" && drag && !drag.moved) select(nodeAt(e.offsetX, e.offsetY), "stay");
  if (pointers.size === 0) { drag = null; canvas.classList.remove("drag"); }
}
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", () => { $("hint").hidden = true; });
canvas.addEventListener("wheel", e => { e.preventDefault(); zoomAt(e.offsetX, e.offsetY, Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0015))); }, { passive: false });
canvas.addEventListener("dblclick", e => zoomAt(e.offsetX, e.offsetY, 1.8));
function hover(e) {
  const i = nodeAt(e.offsetX, e.offsetY), hint = $("hint");
  hint.hidden = i < 0;
  canvas.style.cursor = i < 0 ? "" : "pointer";
  if (i < 0) return;
  hint.textContent = nodes[i].a + (nodes[i].t ? " (" + nodes[i].t + ")" : "") + ": " + words[nodes[i].s];
  hint.style.left = Math.min(e.offsetX + 14, Math.max(0, width - hint.offsetWidth - 8)) + "px"; hint.style.top = (e.offsetY + 16) + "px";
}
addEventListener("keydown", e => {
  if (e.key === "Escape") { select(-1); $("search").value = ""; search(); return; }
  if (e.target === $("search") || e.ctrlKey || e.metaKey || e.altKey) return;
  const step = 60, keys = {
    "/": () => $("search").focus(), "+": () => zoomAt(width / 2, height / 2, 1.25), "=": () => zoomAt(width / 2, height / 2, 1.25),
    "-": () => zoomAt(width / 2, height / 2, 0.8), "0": () => { fit(); later(); },
  };
  if (e.target === canvas) Object.assign(keys, {
    ArrowLeft: () => { ox += step; later(); }, ArrowRight: () => { ox -= step; later(); },
    ArrowUp: () => { oy += step; later(); }, ArrowDown: () => { oy -= step; later(); },
  });
  if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
});
$("in").onclick = () => zoomAt(width / 2, height / 2, 1.4);
$("out").onclick = () => zoomAt(width / 2, height / 2, 1 / 1.4);
$("fit").onclick = () => { fit(); later(); };

// ---- selection and details
function closure(i, next, into) {
  const todo = [i];
  while (todo.length) for (const n of next[todo.pop()]) if (!into.has(n)) { into.add(n); todo.push(n); }
}
let onRow = null;
function select(i, how) {
  selected = i;
  reach = null;
  if (i >= 0) { reach = new Set([i]); closure(i, up, reach); closure(i, down, reach); }
  if (onRow) onRow.classList.remove("on");
  onRow = i >= 0 ? rowOf.get(i) || null : null;
  if (onRow) { onRow.classList.add("on"); if (innerWidth > 900) onRow.scrollIntoView({ block: "nearest" }); }
  detail(i);
  if (i >= 0 && how !== "stay") goTo(i);
  try { history.replaceState(null, "", i >= 0 ? "#" + encodeURIComponent(nodes[i].a) : location.pathname); } catch (e) { /* a page that has no address */ }
  later();
}
function heading(to, text) { to.append(el("h3", "", text)); }
function link(i) {
  const b = el("button", "link addr", nodes[i].a);
  b.onclick = () => select(i);
  return b;
}
function items(to, title, list, make) {
  if (!list || !list.length) return;
  heading(to, title);
  const ul = el("ul");
  for (const x of list) { const li = el("li"); make(li, x); ul.append(li); }
  to.append(ul);
}
function addressOrLink(address) { const i = byAddress.get(address); return i === undefined ? el("span", "addr", address) : link(i); }
function detail(i) {
  const box = $("detail");
  box.textContent = "";
  box.hidden = i < 0;
  if (i < 0) return;
  const n = nodes[i], d = n.d;
  const close = el("button", "close", "×");
  close.title = "Close (Esc)"; close.setAttribute("aria-label", "Close"); close.onclick = () => select(-1);
  box.append(close, el("h2", "addr", n.a));
  const line = el("p");
  line.append(el("span", "mark c-" + n.s, marks[n.s]), el("strong", "c-" + n.s, " " + (words[n.s] || n.s)), el("span", "soft", (n.t ? "  " + n.t : "") + (d && d.note ? ", " + d.note : "")));
  box.append(line);
  if (!d) box.append(el("p", "soft", "This node does not change."));
  else explain(box, d);
  const named = new Set(d ? (d.inputs || []).map(x => x[1]) : []), above = up[i].filter(u => !named.has(nodes[u].a));
  items(box, "Rests on", above.slice(0, 200), (li, u) => li.append(link(u)));
  if (above.length > 200) box.append(el("p", "soft", "… and " + (above.length - 200) + " more"));
  items(box, "Feeds", down[i].slice(0, 200), (li, u) => li.append(link(u)));
  if (down[i].length > 200) box.append(el("p", "soft", "… and " + (down[i].length - 200) + " more"));
  box.scrollTop = 0;
}
function explain(box, d) {
  if (d.description) box.append(el("p", "", d.description));
  if (d.blast) box.append(el("p", "", d.blast + (d.blast === 1 ? " change" : " changes") + " of this plan downstream"));
  items(box, "Why", d.reasons, (li, r) => {
    li.append(el("span", "", r.text));
    if (r.before) li.append(el("pre", "before", r.before));
    if (r.after) li.append(el("pre", "after", r.after));
  });
  items(box, "Checks", d.checks, (li, c) => li.append(el("span", c[0] === "error" || c[0] === "critical" ? "c-delete" : "soft", c[0] + "  "), el("code", "", c[1])));
  if (d.estimate) { heading(box, "Expected time"); box.append(el("p", "", d.estimate)); }
  items(box, "Inputs", d.inputs, (li, x) => li.append(el("span", "", x[0] + "  "), addressOrLink(x[1]), el("span", "soft", "  " + (x[2] || "pending"))));
  items(box, "Options", d.options, (li, o) => li.append(el("span", "soft", o[0] + "  "), el("code", "", o[1])));
}

// ---- list
const rowOf = new Map(), batch = 400;
function row(i) {
  const n = nodes[i], b = el("button", "row");
  b.append(el("span", "mark c-" + n.s, marks[n.s]), el("span", "addr", n.a));
  if (n.d && n.d.blast && n.s !== "delete") { const m = el("span", "more", n.d.blast + " below"); m.title = "changes downstream"; b.append(m); }
  b.onclick = () => select(i);
  rowOf.set(i, b);
  return b;
}
function rows(to, list, dangerous) {
  let at = 0;
  const add = n => { const f = document.createDocumentFragment(); for (const end = Math.min(list.length, at + n); at < end; at++) f.append(entry(list[at])); return f; };
  to.append(add(dangerous ? Infinity : batch));
  if (at >= list.length) return;
  const more = el("button", "show");
  const label = () => { more.textContent = "Show " + Math.min(batch * 5, list.length - at) + " more of " + (list.length - at).toLocaleString("en"); };
  label();
  more.onclick = () => { more.before(add(batch * 5)); if (at >= list.length) more.remove(); else label(); };
  to.append(more);
}
function entry(g) {
  if (typeof g === "number") return row(g);
  if (g.n.length === 1) return row(g.n[0]);
  const box = el("div", "group"), head = el("button", "row"), inner = el("div", "inner"), n = nodes[g.n[0]];
  head.append(el("span", "mark c-" + n.s, marks[n.s]), el("span", "addr", g.b), el("span", "more", g.n.length.toLocaleString("en") + " instances"));
  head.setAttribute("aria-expanded", "false");
  inner.hidden = true;
  head.onclick = () => {
    if (!inner.firstChild) rows(inner, g.n, false);
    inner.hidden = !inner.hidden;
    box.classList.toggle("open", !inner.hidden);
    head.setAttribute("aria-expanded", String(!inner.hidden));
  };
  box.append(head, inner);
  return box;
}
function section(to, title, total, list, dangerous) {
  const h = el("h2", "", title + " ");
  h.append(el("small", "", total.toLocaleString("en")));
  to.append(h);
  rows(to, list, dangerous);
}
function since(to) {
  if (!data.since) return;
  const box = el("details", "since"), ul = el("ul");
  box.append(el("summary", "", "Since the plan " + data.since.old), el("p", "soft", data.since.counts));
  for (const n of data.since.notes || []) {
    const li = el("li", "", n.word + " ");
    if (n.address) li.append(addressOrLink(n.address));
    li.append(el("span", "soft", " " + (n.text || "")));
    for (const l of n.lines || []) li.append(el("div", "soft", l));
    ul.append(li);
  }
  box.append(ul);
  box.open = true;
  to.append(box);
}
function list() {
  const to = $("list");
  to.textContent = ""; rowOf.clear();
  if (hits) {
    const found = [...hits];
    found.sort((a, b) => (nodes[a].s === "no_op") - (nodes[b].s === "no_op") || a - b);
    if (found.length) section(to, "Found", found.length, found, false);
    else to.append(el("p", "empty", "No address or type has this text."));
    return;
  }
  since(to);
  for (const s of data.sections) section(to, s.title, s.total, s.groups, s.danger < 2);
  if (!data.sections.length) to.append(el("p", "empty", "Nothing changes."));
  if (data.variables.length) {
    const box = el("details", "since"), ul = el("ul");
    box.append(el("summary", "", "Variables"));
    for (const [name, value] of data.variables) { const li = el("li", "", name + " = "); li.append(el("code", "", value)); ul.append(li); }
    box.append(ul);
    to.append(box);
  }
}
function search() {
  const text = $("search").value.trim().toLowerCase();
  hits = null;
  if (text) { hits = new Set(); nodes.forEach((n, i) => { if ((n.a + " " + (n.t || "")).toLowerCase().includes(text)) hits.add(i); }); }
  list();
  later();
}
let timer = 0;
$("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 120); });
$("search").addEventListener("keydown", e => { if (e.key === "Enter") { clearTimeout(timer); search(); if (hits && hits.size) select([...hits][0]); } });

// ---- start
$("title").textContent = data.title;
$("summary").textContent = data.summary;
$("identity").textContent = "Identity: " + data.identity;
const legend = $("legend"), present = new Set(nodes.map(n => n.s));
for (const s of Object.keys(words)) if (present.has(s)) {
  const e = el("span");
  e.append(el("span", "mark c-" + s, s === "no_op" ? "○" : marks[s]), el("span", "", " " + words[s]));
  legend.append(e);
}
if (nodes.some(n => n.d && n.d.certainty !== "must")) legend.append(el("span", "", "┄ may be skipped"));
if (nodes.some(n => n.d && n.d.cached)) legend.append(el("span", "", "▭ pale: restored, nothing runs"));
if (nodes.some(n => n.k === "publish")) legend.append(el("span", "", "▷ publish"));
readColours();
list();
resize();
fit();
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); later(); });
addEventListener("resize", () => { const w = width, h = height; resize(); ox += (width - w) / 2; oy += (height - h) / 2; later(); });
function fromHash() {
  let a = location.hash.slice(1);
  try { a = decodeURIComponent(a); } catch (e) { return; }
  const i = byAddress.get(a);
  if (i !== undefined && i !== selected) select(i);
}
fromHash();
addEventListener("hashchange", fromHash);
ctx.getImageData(0, 0, 1, 1); // waits until the picture is there, so that the time below is that of all work
document.documentElement.dataset.nodes = String(nodes.length);
document.documentElement.dataset.ready = performance.now().toFixed(0);
})();
