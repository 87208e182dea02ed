// What the JavaScript scripts share: the same report as checks.py gives, one line of JSON a check.
import assert from "node:assert/strict";

export const TURNOUT = process.env.TURNOUT_URL ?? "http://127.0.0.1:8080";
export const QUESTION = "What is the capital of France?";
export const ANSWER = "The capital of France is Paris.";

export async function check(api, feature, run) {
  let why = null;
  try {
    await run();
  } catch (error) {
    why = String(error?.stack ?? error).slice(0, 2000);
  }
  console.log(JSON.stringify({ api, feature, why }));
}

export function says(text, ...parts) {
  for (const part of parts) assert.ok(text.includes(part), `${part} not in: ${text}`);
}
