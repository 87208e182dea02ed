// The official SDKs of OpenAI (chat completions and Responses) and of Anthropic, for JavaScript.
import assert from "node:assert/strict";
import { ANSWER, QUESTION, TURNOUT, check, says } from "./checks.mjs";
// -- snippet: chat
import OpenAI from "openai";

const openai = new OpenAI({ baseURL: `${TURNOUT}/v1`, apiKey: "any" });
// -- end
// -- snippet: messages
import Anthropic from "@anthropic-ai/sdk";

const anthropic = new Anthropic({ baseURL: TURNOUT, apiKey: "any" });
// -- end

const asked = (content) => [{ role: "user", content }];
const schema = {
  type: "object",
  properties: { city: { type: "string" }, country: { type: "string" } },
  required: ["city", "country"],
  additionalProperties: false,
};
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const named = { name: "get_weather", description: "The weather in a city now." };
const WEATHER = "What is the weather in Paris and in Rome?";
const EXTRACT = "Extract: Paris is the capital of France.";
const weather = (args) => `${args.city}: 21 degrees and sunny`;
const told = (text) => says(text, "Paris: 21 degrees", "Rome: 21 degrees");

async function refusal(call) {
  const refused = await call.catch((error) => error);
  assert.equal(refused.status, 404);
  says(refused.message, "no-such-model");
}

// chat completions
const model = "gpt-4o";
await check("chat", "text", async () => {
  const reply = await openai.chat.completions.create({ model, messages: asked(QUESTION) });
  says(reply.choices[0].message.content, ANSWER);
});
await check("chat", "streaming", async () => {
  const stream = openai.chat.completions.stream({ model, messages: asked(QUESTION) });
  const parts = [];
  for await (const chunk of stream) parts.push(chunk.choices[0]?.delta?.content ?? "");
  assert.ok(parts.length > 2);
  says(parts.join(""), ANSWER);
  says(await stream.finalContent(), ANSWER);
});
await check("chat", "tools", async () => {
  const run = openai.chat.completions.runTools({
    model,
    messages: asked(WEATHER),
    tools: [{ type: "function", function: { ...named, parameters: city, parse: JSON.parse, function: weather } }],
  });
  told(await run.finalContent());
});
await check("chat", "structured", async () => {
  const format = { type: "json_schema", json_schema: { name: "capital", strict: true, schema } };
  const reply = await openai.chat.completions.parse({ model, messages: asked(EXTRACT), response_format: format });
  assert.equal(JSON.parse(reply.choices[0].message.content).city, "Paris");
});
await check("chat", "error", () =>
  refusal(openai.chat.completions.create({ model: "no-such-model", messages: asked(QUESTION) })),
);

// Responses
await check("responses", "text", async () => {
  const reply = await openai.responses.create({ model, input: QUESTION });
  says(reply.output_text, ANSWER);
});
await check("responses", "streaming", async () => {
  const stream = openai.responses.stream({ model, input: QUESTION });
  const parts = [];
  for await (const event of stream) if (event.type === "response.output_text.delta") parts.push(event.delta);
  assert.ok(parts.length > 1);
  says(parts.join(""), ANSWER);
  says((await stream.finalResponse()).output_text, ANSWER);
});
await check("responses", "tools", async () => {
  const tools = [{ type: "function", ...named, parameters: city, strict: false }];
  const input = asked(WEATHER);
  const first = await openai.responses.create({ model, input, tools });
  const calls = first.output.filter((item) => item.type === "function_call");
  assert.equal(calls.length, 2);
  const results = calls.map((call) => ({
    type: "function_call_output",
    call_id: call.call_id,
    output: weather(JSON.parse(call.arguments)),
  }));
  const second = await openai.responses.create({ model, tools, input: [...input, ...first.output, ...results] });
  told(second.output_text);
});
await check("responses", "structured", async () => {
  const text = { format: { type: "json_schema", name: "capital", strict: true, schema } };
  const reply = await openai.responses.parse({ model, input: EXTRACT, text });
  assert.equal(JSON.parse(reply.output_text).city, "Paris");
});
await check("responses", "error", () => refusal(openai.responses.create({ model: "no-such-model", input: QUESTION })));

// messages
const common = { model: "claude-sonnet-4-6", max_tokens: 500 };
await check("messages", "text", async () => {
  const reply = await anthropic.messages.create({ ...common, messages: asked(QUESTION) });
  says(reply.content[0].text, ANSWER);
});
await check("messages", "streaming", async () => {
  const parts = [];
  const stream = anthropic.messages.stream({ ...common, messages: asked(QUESTION) });
  stream.on("text", (text) => parts.push(text));
  says(await stream.finalText(), ANSWER);
  assert.ok(parts.length > 1);
});
await check("messages", "tools", async () => {
  const tools = [{ ...named, input_schema: city }];
  const first = await anthropic.messages.create({ ...common, tools, messages: asked(WEATHER) });
  assert.equal(first.stop_reason, "tool_use");
  const calls = first.content.filter((block) => block.type === "tool_use");
  assert.equal(calls.length, 2);
  const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: weather(call.input) }));
  const history = [...asked(WEATHER), { role: "assistant", content: first.content }, { role: "user", content: results }];
  const second = await anthropic.messages.create({ ...common, tools, messages: history });
  told(second.content[0].text);
});
await check("messages", "structured", async () => {
  const output_config = { format: { type: "json_schema", schema } };
  const reply = await anthropic.messages.create({ ...common, messages: asked(EXTRACT), output_config });
  assert.equal(JSON.parse(reply.content[0].text).city, "Paris");
});
await check("messages", "error", () =>
  refusal(anthropic.messages.create({ ...common, model: "no-such-model", messages: asked(QUESTION) })),
);
