/** All calls of the page to its app. Source: docs/apps/chat/contract.md. */

import { language } from "./preferences.js";
import * as session from "./session.js";

const BASE = new URL("./", document.baseURI);
const API = "api/v1";

/**
 * An answer that is no success, or no answer at all (`status` 0).
 * `resetsAt` is the moment from which it may be tried again, where the server named one.
 */
export class Failure extends Error {
  constructor(status, { code = "", message = "", details = {}, request_id = "" } = {}, retryAfter = null) {
    super(message || code);
    Object.assign(this, { status, code, details: details ?? {}, requestId: request_id });
    const named = this.details.resets_at ?? (retryAfter ? Date.now() + retryAfter * 1000 : null);
    this.resetsAt = named && new Date(named);
  }
}

/** The address of a path of the app. */
export function address(path) {
  return new URL(path, BASE);
}

/** The base URL for programs that speak OpenAI's API. */
export function compatibleBase() {
  return address("v1").href;
}

// -- who calls ----------------------------------------------------------------------------------------------------------------

export async function register(username, email, password) {
  await start("auth/register", { username, email, password });
}

export async function login(name, password) {
  await start("auth/login", { username: name, password });
}

/** Sign in; an answer with tokens begins the session. */
async function start(path, body) {
  session.begin(await once("POST", path, { body }, ""));
}

/** Sign out here and in every tab; the server is told, but its answer does not matter. */
export async function logout() {
  await call("POST", "auth/logout", { body: {} }).catch(() => null);
  session.end(true);
}

export const me = () => call("GET", "users/me");
export const quota = () => call("GET", "users/me/quota");
export const models = async () => listed(await call("GET", "models")).items;

export const keys = async () => listed(await call("GET", "users/me/keys")).items;
export const makeKey = (name) => call("POST", "users/me/keys", { body: { name } });
export const revokeKey = (id) => call("DELETE", `users/me/keys/${id}`);

// -- conversations ------------------------------------------------------------------------------------------------------------

/** A page of conversations: {items, next_cursor}. */
export async function conversations({ q, archived, cursor }, signal) {
  return listed(await call("GET", "conversations", { query: { q, is_archived: archived, cursor, limit: 40 }, signal }));
}

export const createConversation = (body) => call("POST", "conversations", { body });
export const conversation = (id) => call("GET", `conversations/${id}`);
export const changeConversation = (id, body) => call("PATCH", `conversations/${id}`, { body });
export const removeConversation = (id) => call("DELETE", `conversations/${id}`);
export const importConversations = (body) => call("POST", "conversations/import", { body });

/** One conversation as a file: {name, blob}. */
export async function exportConversation(id, format) {
  const response = await reach("GET", `conversations/${id}/export`, { query: { format } });
  const named = /filename\*?=(?:UTF-8'')?"?([^";]+)/i.exec(response.headers.get("content-disposition") ?? "");
  const name = named ? decodeURIComponent(named[1]) : `conversation.${format === "markdown" ? "md" : "json"}`;
  return { name, blob: await response.blob() };
}

/** Every message of a conversation, all branches. */
export async function messages(id) {
  const found = [];
  for (let cursor; ; ) {
    const page = listed(await call("GET", `conversations/${id}/messages`, { query: { cursor, limit: 200 } }));
    found.push(...page.items);
    cursor = page.next_cursor;
    if (!cursor) return found;
  }
}

// -- replies ------------------------------------------------------------------------------------------------------------------

/** Ask; gives the events of the reply as they come. `wishes`: content, parent_id, model. */
export const ask = (id, wishes, key) => streamed("POST", `conversations/${id}/messages`, { body: { ...wishes, stream: true }, key });

/** Write a reply again; gives events. */
export const regenerate = (id, messageId, wishes, key) =>
  streamed("POST", `conversations/${id}/messages/${messageId}/regenerate`, { body: { ...wishes, stream: true }, key });

/** Put another wording beside a message of the user, and have it answered; gives events. */
export const edit = (messageId, content, wishes, key) =>
  streamed("PATCH", `messages/${messageId}`, { body: { ...wishes, content, stream: true }, key });

/** What a reply that is being written says from the event `after` on; gives events. */
export const follow = (id, messageId, after, signal) =>
  streamed("GET", `conversations/${id}/messages/${messageId}/stream`, { headers: after ? { "Last-Event-ID": String(after) } : {}, signal });

export const stop = (id, messageId) => call("POST", `conversations/${id}/messages/${messageId}/stop`);

/** A word that opens one socket, once and soon. */
export const socketTicket = async () => (await call("POST", "ws/ticket")).ticket;

/** The address of the socket. */
export function socketAddress() {
  const url = address(`${API}/ws`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

// -- the wire -----------------------------------------------------------------------------------------------------------------

/** A call whose answer is JSON, or nothing. */
async function call(method, path, options = {}) {
  return await body(await reach(method, path, options));
}

/** A call with the session's token; refused for its age, it is renewed once and made again. */
async function reach(method, path, options = {}) {
  if (!session.accessToken() && !(await session.renew("", exchange))) throw new Failure(401, { code: "signed_out" });
  const used = session.accessToken();
  const response = await sent(method, path, options, used);
  if (response.status !== 401) return await checked(response);
  if (!(await session.renew(used, exchange))) return await checked(response);
  return await checked(await sent(method, path, options, session.accessToken()));
}

/** New tokens for the refresh token; null if it is refused. Anything else that goes wrong is no reason to sign out. */
async function exchange(refresh_token) {
  try {
    return await once("POST", "auth/refresh", { body: { refresh_token } }, "");
  } catch (error) {
    if ([400, 401, 403, 422].includes(error.status)) return null;
    throw error;
  }
}

async function once(method, path, options, token) {
  return await body(await checked(await sent(method, path, options, token)));
}

async function sent(method, path, { body, query = {}, headers = {}, signal, key }, token) {
  const url = address(`${API}/${path}`);
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  const all = { ...headers, Accept: "application/json", "Accept-Language": language() };
  if (token) all.Authorization = `Bearer ${token}`;
  if (body !== undefined) all["Content-Type"] = "application/json";
  if (key) all["Idempotency-Key"] = key;
  try {
    return await fetch(url, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), signal, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, { code: "unreachable" });
  }
}

async function checked(response) {
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Failure(response.status, told.error ?? {}, Number(response.headers.get("retry-after")) || null);
}

async function body(response) {
  if (response.status === 204) return null;
  return await response.json();
}

/** Lists come bare or as a page. */
function listed(answer) {
  if (Array.isArray(answer)) return { items: answer, next_cursor: null };
  return { items: answer.items ?? answer.data ?? [], next_cursor: answer.next_cursor ?? null };
}

async function* streamed(method, path, options) {
  const response = await reach(method, path, { ...options, headers: { ...options.headers, Accept: "text/event-stream" } });
  yield* serverSentEvents(response.body);
}

/** Events of a body as {id, event, data}, where data is parsed. Source: HTML Living Standard §9.2.6. */
export async function* serverSentEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", lines = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const pieces = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = pieces.pop();
      for (const line of pieces) {
        if (line) lines.push(line);
        else if (lines.length) yield* event(lines.splice(0));
      }
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    throw new Failure(0, { code: "unreachable" });
  } finally {
    reader.cancel().catch(() => null);
  }
}

function* event(lines) {
  const fields = { id: null, event: "message", data: [] };
  for (const line of lines) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "data") fields.data.push(value);
    else if (name in fields) fields[name] = value;
  }
  if (fields.data.length) yield { ...fields, data: JSON.parse(fields.data.join("\n")) };
}
