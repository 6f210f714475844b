// A remote control for a browser or Node 22: no library, no build step. (Node 20: --experimental-websocket)
// node examples/remote.js TOKEN [processor]      (TOKEN: the content of the token file)

export async function connect(token, url = "ws://127.0.0.1:7865") {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const waiting = new Map();
  const remote = { onevent: () => {}, onframe: () => {}, close: () => socket.close() };
  let greeted, lastId = 0;
  const hello = new Promise((resolve, reject) => {
    greeted = resolve;
    socket.onclose = ({ code, reason }) => {
      const lost = new Error(`closed: ${code} ${reason}`);
      reject(lost);
      for (const { reject } of waiting.values()) reject(lost);
    };
  });
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return remote.onframe(data.slice(24), new DataView(data));
    const message = JSON.parse(data);
    if (message.method === "hello") return greeted(message.params);
    if (message.method === "event") return remote.onevent(message.params);
    const { resolve, reject } = waiting.get(message.id) ?? {};
    waiting.delete(message.id);
    if (message.error) reject?.(Object.assign(new Error(message.error.message), message.error.data));
    else resolve?.(message.result);
  };
  remote.call = (method, params = {}) => new Promise((resolve, reject) => {
    waiting.set(++lastId, { resolve, reject });
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: lastId, method, params }));
  });
  const { auth, nonce: theirs } = await hello;
  if (auth !== "none") {
    const nonce = hex(crypto.getRandomValues(new Uint8Array(32)));
    await remote.call("auth", { nonce, mac: await hmac(token, theirs + nonce) });
  }
  return remote;
}

const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

async function hmac(key, text) {
  const ascii = new TextEncoder(), hash = { name: "HMAC", hash: "SHA-256" };
  const secret = await crypto.subtle.importKey("raw", ascii.encode(key), hash, false, ["sign"]);
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", secret, ascii.encode(text))));
}

if (globalThis.process?.argv[2]) {
  const [, , token, processor = "anonymize", url] = process.argv;
  const remote = await connect(token, url);
  const state = await remote.call("processor.toggle", { name: processor });
  console.log(state.processors.map((p) => `${p.name}=${p.enabled ? "on" : "off"}`).join(" "));
  remote.close();
}
