// The Vercel AI SDK: its OpenAI provider (chat and Responses), Anthropic provider and Google provider.
import assert from "node:assert/strict";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { ANSWER, QUESTION, TURNOUT, check, says } from "./checks.mjs";
// -- snippet: chat
import { createOpenAI } from "@ai-sdk/openai";

const openai = createOpenAI({ baseURL: `${TURNOUT}/v1`, apiKey: "any" });
const chat = openai.chat("gpt-4o");
// -- end
// -- snippet: responses
const responses = openai.responses("gpt-4o"); // what openai("gpt-4o") means too
// -- end
// -- snippet: messages
import { createAnthropic } from "@ai-sdk/anthropic";

const anthropic = createAnthropic({ baseURL: `${TURNOUT}/v1`, apiKey: "any" });
const messages = anthropic("claude-sonnet-4-6");
// -- end
// -- snippet: gemini
import { createGoogleGenerativeAI } from "@ai-sdk/google";

const google = createGoogleGenerativeAI({ baseURL: `${TURNOUT}/v1beta`, apiKey: "any" });
const gemini = google("gemini-3.8-flash");
// -- end

const capital = z.object({ city: z.string(), country: z.string() });
const getWeather = tool({
  description: "The weather in a city now.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `${city}: 21 degrees and sunny`,
});

async function checksOf(api, model, wrong) {
  await check(api, "text", async () => {
    const { text, usage } = await generateText({ model, prompt: QUESTION });
    says(text, ANSWER);
    assert.ok(usage.outputTokens > 0);
  });
  await check(api, "streaming", async () => {
    const result = streamText({ model, prompt: QUESTION });
    const parts = [];
    for await (const part of result.textStream) parts.push(part);
    assert.ok(parts.length > 1);
    says(parts.join(""), ANSWER);
    assert.equal(await result.finishReason, "stop");
  });
  await check(api, "tools", async () => {
    const { text, steps } = await generateText({
      model,
      tools: { getWeather },
      stopWhen: stepCountIs(3),
      prompt: "What is the weather in Paris and in Rome?",
    });
    assert.equal(steps[0].toolCalls.length, 2);
    says(text, "Paris: 21 degrees", "Rome: 21 degrees");
  });
  await check(api, "structured", async () => {
    const prompt = "Extract: Paris is the capital of France.";
    const { object } = await generateObject({ model, schema: capital, prompt });
    assert.equal(object.city, "Paris");
  });
  await check(api, "error", async () => {
    const refused = await generateText({ model: wrong, prompt: QUESTION, maxRetries: 0 }).catch((error) => error);
    assert.equal(refused.statusCode, 404);
    says(refused.message, "no-such-model");
  });
}

await checksOf("chat", chat, openai.chat("no-such-model"));
await checksOf("responses", responses, openai.responses("no-such-model"));
await checksOf("messages", messages, anthropic("no-such-model"));
await checksOf("gemini", gemini, google("no-such-model"));
