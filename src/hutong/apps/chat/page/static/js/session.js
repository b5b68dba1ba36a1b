/**
 * Who is signed in. The access token lives in this tab's memory only; the refresh token in localStorage, because it is
 * exchanged for a new one at each renewal and all tabs have to know the newest (docs/apps/chat-page.md says what that costs).
 *
 * Tabs renew one at a time, under a lock. A tab that finds that another was first asks for its access token instead.
 */

const KEY = "hutong-chat:session";
const CHANNEL = new BroadcastChannel("hutong-chat:session");
const PATIENCE = 400; // milliseconds that another tab may take to answer

let access = "";
let generation = 0; // the renewal that `access` came from
const ended = new Set();
const asked = new Map(); // generation → how to answer

CHANNEL.addEventListener("message", ({ data }) => {
  if (data.type === "ask" && access && generation >= data.generation) {
    CHANNEL.postMessage({ type: "tell", generation, access });
  } else if (data.type === "tell" && data.generation > generation) {
    [access, generation] = [data.access, data.generation];
    for (const [wanted, answer] of asked) if (wanted <= generation) answer(true);
  } else if (data.type === "end") {
    forget(data.wished);
  }
});

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function forget(wished) {
  access = "";
  for (const listener of ended) listener(wished);
}

/** The access token; empty before the first renewal. */
export function accessToken() {
  return access;
}

/** Whether somebody is signed in, as far as this browser knows. */
export function isSignedIn() {
  return Boolean(stored()?.refresh);
}

/** Take the tokens that a sign-in or a renewal gave. */
export function begin(tokens) {
  generation = (stored()?.generation ?? 0) + 1;
  access = tokens.access_token;
  localStorage.setItem(KEY, JSON.stringify({ refresh: tokens.refresh_token, generation }));
  CHANNEL.postMessage({ type: "tell", generation, access });
}

/** Forget the session, in every tab; `wished`: its user signed out. */
export function end(wished = false) {
  const was = Boolean(stored());
  localStorage.removeItem(KEY);
  if (was) CHANNEL.postMessage({ type: "end", wished });
  forget(wished);
}

/** Call `listener(wished)` when the session is over, here or in another tab. */
export function onEnd(listener) {
  ended.add(listener);
}

/**
 * A working access token in place of `used`, which was refused: another tab's, or a new one that `exchange` gets for the
 * refresh token. Returns false when there is none to be had.
 */
export async function renew(used, exchange) {
  return await exclusively(async () => {
    if (access && access !== used) return true;
    const known = stored();
    if (!known?.refresh) return false;
    if (known.generation > generation && (await fromAnotherTab(known.generation))) return access !== used;
    const tokens = await exchange(known.refresh);
    if (tokens) begin(tokens);
    else if (stored()?.refresh === known.refresh) end();
    return Boolean(tokens);
  });
}

function exclusively(work) {
  return navigator.locks ? navigator.locks.request(KEY, work) : work(); // no locks outside https and localhost
}

function fromAnotherTab(wanted) {
  return new Promise((resolve) => {
    const answer = (told) => {
      asked.delete(wanted);
      resolve(told);
    };
    asked.set(wanted, answer);
    CHANNEL.postMessage({ type: "ask", generation: wanted });
    setTimeout(() => answer(false), PATIENCE);
  });
}
