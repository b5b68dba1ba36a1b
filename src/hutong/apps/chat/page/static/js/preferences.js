/** What this browser remembers of its reader: light or dark, and which language. Nothing secret. */

const LOOKS = ["auto", "light", "dark"];
const KEY = "hutong-chat:preferences";

const saved = read();

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function save(name, value) {
  saved[name] = value;
  localStorage.setItem(KEY, JSON.stringify(saved));
}

/** "auto" (as the system has it), "light" or "dark". */
export function look() {
  return LOOKS.includes(saved.look) ? saved.look : "auto";
}

/** Whether the page is dark at the moment. */
export function isDark() {
  return look() === "dark" || (look() === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
}

/** Light becomes dark and dark light; when that is what the system has, the choice is the system's again. */
export function turnLook() {
  const wanted = isDark() ? "light" : "dark";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  save("look", wanted === system ? "auto" : wanted);
  applyLook();
}

/** Show the page as chosen. */
export function applyLook() {
  document.documentElement.dataset.look = look();
}

/** "en" or "zh-CN": chosen here, or else the first of the browser's languages that there is. */
export function language() {
  if (saved.language === "en" || saved.language === "zh-CN") return saved.language;
  const first = navigator.languages.find((name) => /^(zh|en)\b/i.test(name)) ?? "en";
  return /^zh/i.test(first) ? "zh-CN" : "en";
}

export function setLanguage(name) {
  save("language", name);
}

/** The model that was chosen last, for the next conversation. */
export function lastModel() {
  return saved.model ?? "";
}

export function setLastModel(name) {
  save("model", name);
}
