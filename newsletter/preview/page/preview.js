// The preview's page: asks for the state, shows it, and follows the file's changes.
"use strict";

const by = (id) => document.getElementById(id);
const TABS = ["mail", "text", "inbox", "headers"];
const CHOICES = {
  tab: TABS,
  width: ["desktop", "phone", "both"],
  scheme: ["light", "dark"],
  images: ["on", "off"],
};
const frames = [by("frame-desktop"), by("frame-phone")];
const wide = window.matchMedia("(min-width: 1181px)");
const ui = { reader: "", tab: "mail", width: "both", scheme: "light", images: "on" };
let state = null;
let asked = 0;
let findingsTouched = false;

// ---- Choices, kept in the address so that a reload brings them back ----

function readChoices() {
  const given = new URLSearchParams(location.search);
  for (const [name, allowed] of Object.entries(CHOICES)) {
    if (allowed.includes(given.get(name))) ui[name] = given.get(name);
  }
  ui.reader = given.get("reader") || "";
}

function choose(name, value) {
  ui[name] = value;
  history.replaceState(null, "", "?" + new URLSearchParams(ui));
  if (name === "reader") refresh();
  else show();
}

// ---- State ----

async function refresh() {
  const mine = ++asked;
  const answer = await fetch("/state?" + new URLSearchParams({ reader: ui.reader }));
  const found = await answer.json();
  if (mine !== asked) return; // a later question was asked meanwhile
  state = found;
  if (state.issue) ui.reader = state.issue.reader;
  by("live").textContent = "Updated " + new Date().toLocaleTimeString();
  show();
}

function follow() {
  const events = new EventSource("/events");
  events.onmessage = () => {
    document.body.classList.remove("stale");
    refresh();
  };
  events.onerror = () => {
    document.body.classList.add("stale");
    by("live").textContent = "The preview was stopped";
  };
}

// ---- Showing ----

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function show() {
  if (!state) return;
  showError(state.error);
  const issue = state.issue;
  by("empty").hidden = Boolean(issue);
  for (const tab of TABS) {
    by("panel-" + tab).hidden = !issue || tab !== ui.tab;
    by("tab-" + tab).setAttribute("aria-selected", String(tab === ui.tab));
    by("tab-" + tab).tabIndex = tab === ui.tab ? 0 : -1;
  }
  by("switches").hidden = ui.tab !== "mail";
  for (const name of ["width", "scheme", "images"]) {
    document.querySelector(`input[name=${name}][value=${ui[name]}]`).checked = true;
  }
  if (!issue) return;
  showBar(issue);
  showFrames();
  showText(issue);
  showInbox(issue);
  showHeaders(issue);
  showFindings(issue);
}

function showError(error) {
  const bar = by("alert");
  bar.hidden = !error;
  if (!error) {
    bar.replaceChildren();
    return;
  }
  const lines = [element("p", "what", error.what)];
  if (error.place) lines.push(element("p", "place", error.place));
  if (error.problems.length) {
    const problem = (each) => element(
      "li", "", element("span", "place", each.place), each.place ? " " : "", `${each.what} ${each.next}`,
    );
    lines.push(element("ul", "", ...error.problems.map(problem)));
  }
  if (error.next) lines.push(element("p", "", error.next));
  if (state.issue) lines.push(element("p", "last", "Below is the last version that worked."));
  bar.replaceChildren(...lines);
}

function showBar(issue) {
  document.title = `${issue.title} · Preview`;
  by("list").textContent = issue.list;
  by("title").textContent = issue.title;
  by("notice").hidden = !issue.notice;
  by("notice").textContent = issue.notice;
  const options = issue.readers.map((each) => new Option(each.label, each.id));
  by("reader").replaceChildren(...options);
  by("reader").value = issue.reader;
  const { kb, clip, warn, error } = issue.size;
  by("size-text").replaceChildren(element("b", "", `${kb.toFixed(1)} KB`), ` of ${clip}`);
  const meter = by("meter");
  meter.setAttribute("aria-valuenow", String(kb));
  meter.style.setProperty("--part", String(Math.min(1, kb / clip)));
  meter.className = "meter " + (kb >= error ? "error" : kb >= warn ? "warning" : "");
}

function showText(issue) {
  const sheet = by("text");
  sheet.textContent = issue.text;
  sheet.lang = issue.language;
  sheet.dir = issue.direction;
}

function showInbox(issue) {
  const day = new Date(issue.date + "T12:00:00").toLocaleDateString("en", { day: "numeric", month: "short" });
  for (const row of document.querySelectorAll(".row")) {
    row.lang = issue.language;
    row.dir = issue.direction;
    row.querySelector(".from").textContent = issue.sender;
    row.querySelector(".subject").textContent = issue.subject;
    row.querySelector(".preheader").textContent = issue.preheader;
    row.querySelector("time").textContent = day;
    const face = row.querySelector(".face");
    if (face) face.textContent = [...issue.sender][0] || "";
  }
  by("subject-length").textContent = `${[...issue.subject].length} characters`;
  by("preheader-length").textContent = `${[...issue.preheader].length} characters`;
}

function showHeaders(issue) {
  const row = ([name, value]) => {
    const head = element("th", "", name);
    head.scope = "row";
    return element("tr", "", head, element("td", "", value));
  };
  by("headers").replaceChildren(...issue.headers.map(row));
}

// ---- The mail in its frames ----

function showFrames() {
  by("desktop").hidden = ui.width === "phone";
  by("phone").hidden = ui.width === "desktop";
  const query = new URLSearchParams({ reader: ui.reader, images: ui.images, scheme: ui.scheme, v: state.version });
  for (const frame of frames) {
    frame.style.colorScheme = ui.scheme;
    const address = "/mail?" + query;
    if (frame.getAttribute("src") === address) continue;
    if (frame.contentDocument?.body) places.set(frame, placeOf(frame));
    frame.src = address;
  }
}

function framed(frame) {
  const page = frame.contentDocument;
  if (!page?.body) return;
  // A scroll bar would take its width from the mail's, and a phone has none.
  page.documentElement.style.scrollbarWidth = "none";
  page.addEventListener("scroll", () => followScroll(frame), { passive: true });
  if (places.has(frame)) {
    moveTo(frame, places.get(frame));
    return;
  }
  // Somebody may have scrolled already, while the first pictures were on their way.
  const leading = [frame, ...frames].find((each) => each.contentWindow?.scrollY > 0);
  if (leading) followScroll(leading);
}

const places = new Map();
let leader = null;
let leaderEnds = 0;

// Both widths show the same story: the one that is scrolled leads the other.
function followScroll(frame) {
  const now = performance.now();
  if (leader !== frame && now < leaderEnds) return;
  leader = frame;
  leaderEnds = now + 150;
  const other = frames.find((each) => each !== frame);
  if (ui.width === "both" && other.contentDocument?.body) moveTo(other, placeOf(frame));
}

// A place is told by the heading above it and the part of the way to the next one, so that
// it means the same at another width, without pictures, and after the story grew.
function placeOf(frame) {
  const from = stops(frame);
  const top = frame.contentWindow.scrollY;
  const index = Math.max(0, Math.min(from.findLastIndex((stop) => stop <= top), from.length - 2));
  return { index, part: (top - from[index]) / Math.max(1, from[index + 1] - from[index]) };
}

function moveTo(frame, { index, part }) {
  const to = stops(frame);
  const at = Math.min(index, to.length - 2);
  frame.contentWindow.scrollTo(0, to[at] + part * (to[at + 1] - to[at]));
}

function headings(frame) {
  return [...(frame.contentDocument?.querySelectorAll("h1, h2, h3, h4, h5, h6") || [])];
}

function stops(frame) {
  const root = frame.contentDocument.documentElement;
  const top = frame.contentWindow.scrollY;
  const end = root.scrollHeight - frame.contentWindow.innerHeight;
  const inner = headings(frame).map((each) => Math.min(end, each.getBoundingClientRect().top + top));
  return [0, ...inner, end];
}

function goTo(story) {
  if (ui.tab !== "mail") choose("tab", "mail");
  const plain = (text) => text.replace(/[^\p{L}\p{N}]+/gu, "").toLowerCase();
  for (const frame of frames) {
    const found = headings(frame).find((each) => plain(each.textContent) === plain(story));
    if (!found) continue;
    const top = found.getBoundingClientRect().top + frame.contentWindow.scrollY;
    leader = frame;
    leaderEnds = 0;
    frame.contentWindow.scrollTo(0, top - 60);
    found.style.outline = "3px solid #0b8f84";
    found.style.outlineOffset = "6px";
    setTimeout(() => { found.style.outline = found.style.outlineOffset = ""; }, 2500);
  }
}

// ---- Checks ----

function summary(counts) {
  const some = (number, word) => (number ? [`${number} ${word}${number === 1 ? "" : "s"}`] : []);
  const parts = [...some(counts.error, "error"), ...some(counts.warning, "warning"), ...some(counts.note, "note")];
  return parts.join(", ") || "All checks pass";
}

function showFindings(issue) {
  const { counts, findings } = issue;
  const badge = by("badge");
  badge.textContent = summary(counts);
  badge.className = "badge " + (["error", "warning", "note"].find((kind) => counts[kind]) || "good");
  if (!findingsTouched) openFindings(findings.length > 0 && wide.matches);
  const good = element("li", "", element("span", "kind good", "all fine"), element("p", "what", "The checks found nothing to mend."));
  by("list-of-findings").replaceChildren(...(findings.length ? findings.map(finding) : [good]));
}

function finding(each) {
  const item = element(
    "li", "",
    element("span", "kind " + each.severity, each.severity),
    element("p", "what", each.what),
    element("p", "why", each.why),
    element("p", "mend", element("b", "", "Mend: "), each.mend),
    element("p", "place", each.place),
  );
  if (each.story) {
    const go = element("button", "go", each.story);
    go.type = "button";
    go.setAttribute("aria-label", "Show in the mail: " + each.story);
    go.addEventListener("click", () => goTo(each.story));
    item.append(go);
  }
  return item;
}

function openFindings(open) {
  by("findings").hidden = !open;
  by("badge").setAttribute("aria-expanded", String(open));
}

// ---- Wiring ----

function onTabKey(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = TABS[(TABS.indexOf(ui.tab) + step + TABS.length) % TABS.length];
  choose("tab", next);
  by("tab-" + next).focus();
}

function wire() {
  by("reader").addEventListener("change", (event) => choose("reader", event.target.value));
  for (const tab of TABS) {
    by("tab-" + tab).addEventListener("click", () => choose("tab", tab));
    by("tab-" + tab).addEventListener("keydown", onTabKey);
  }
  for (const input of document.querySelectorAll(".segments input")) {
    input.addEventListener("change", () => choose(input.name, input.value));
  }
  for (const frame of frames) frame.addEventListener("load", () => framed(frame));
  by("badge").addEventListener("click", () => {
    findingsTouched = true;
    openFindings(by("findings").hidden);
  });
  by("close").addEventListener("click", () => {
    findingsTouched = true;
    openFindings(false);
    by("badge").focus();
  });
}

readChoices();
wire();
follow();
