// The connection to the daemon: JSON-RPC 2.0 over a websocket to where this page came from.

const KEPT = "faceswapd";

/** One authenticated connection; resolves once it is ready, rejects with `unpaired` when the daemon does not know us. */
export async function connect({ onevent, onframe, onclose }) {
  const socket = new WebSocket(location.origin.replace(/^http/, "ws"));
  socket.binaryType = "arraybuffer";
  const waiting = new Map();
  let lastId = 0, greet;
  const lost = new Promise((_, reject) => {
    socket.onclose = ({ code, reason }) => {
      const error = Object.assign(new Error(reason || "the connection broke"), { close: code });
      reject(error);
      for (const call of waiting.values()) call.reject(error);
      waiting.clear();
      onclose(error);
    };
  });
  lost.catch(() => {});
  const hello = new Promise((resolve) => { greet = resolve; });
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return onframe(data);
    const message = JSON.parse(data);
    if (message.method === "hello") return greet(message.params);
    if (message.method === "event") return onevent(message.params);
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) call?.reject(Object.assign(new Error(message.error.message), message.error.data));
    else call?.resolve(message.result);
  };
  const call = (method, params = {}) => new Promise((resolve, reject) => {
    if (socket.readyState !== WebSocket.OPEN) return reject(new Error("not connected"));
    waiting.set(++lastId, { resolve, reject });
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: lastId, method, params }));
  });
  const greeting = await Promise.race([hello, lost]);
  await authenticate(call, greeting);
  return { call, features: new Set(greeting.features), version: greeting.version };
}

async function authenticate(call, { auth, nonce: theirs }) {
  if (auth === "none") return;
  const code = new URLSearchParams(location.hash.slice(1)).get("pair");
  if (code) {
    history.replaceState(null, "", location.pathname);  // the link is spent: it shall not stay in the address bar
    localStorage.setItem(KEPT, JSON.stringify(await call("pair", { code })));
    return;
  }
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "null");
  if (!kept) throw Object.assign(new Error("not paired"), { unpaired: true });
  const nonce = hex(crypto.getRandomValues(new Uint8Array(32)));
  try {
    await call("auth", { device: kept.device, nonce, mac: await hmac(kept.key, theirs + nonce) });
  } catch (error) {
    if (error.code === "unauthorized") localStorage.removeItem(KEPT);
    throw Object.assign(error, { unpaired: error.code === "unauthorized" });
  }
}

const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

async function hmac(key, text) {
  const ascii = new TextEncoder(), hash = { name: "HMAC", hash: "SHA-256" };
  const secret = await crypto.subtle.importKey("raw", ascii.encode(key), hash, false, ["sign"]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", secret, ascii.encode(text))));
}
