/**
 * What a prompt is made of, as far as its tokens can be bounded before it is sent: text is, by its bytes; pictures are, by a
 * number. Sound, files, and what lies upstream under an id are not, and are refused.
 */
import { invalidRequest } from "./openai-error.ts";

export interface Prompt {
  readonly images: number;
  /** Of pictures that are in the prompt themselves: they are no text. */
  readonly imageBytes: number;
}

/** What may stand as the `type` of a message or a part of one. */
const TYPES: ReadonlySet<string> = new Set([
  ...["message", "text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal"],
  ...["image_url", "input_image"],
  ...["function", "custom", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"],
  ...["reasoning", "reasoning.text", "reasoning.summary", "reasoning.encrypted", "thinking"],
  "ephemeral",
]);
/** What holds or names content that cannot be counted. */
const REFUSED_FIELDS = ["audio", "input_audio", "file", "file_id", "file_data", "file_url", "video_url"] as const;

type Fields = Readonly<Record<string, unknown>>;

/**
 * @param field names the prompt in errors.
 * @param prompt as JSON has it, nested no deeper than `MAX_NESTING`.
 * @throws GatewayError 400.
 */
export function measurePrompt(field: string, prompt: unknown): Prompt {
  let images = 0;
  let imageBytes = 0;

  function measure(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) {
      for (const element of value) measure(element);
      return;
    }
    const part = value as Fields;
    const { type, image_url } = part;
    if (typeof type === "string" && !TYPES.has(type)) {
      throw invalidRequest(
        field,
        `${field} must not have parts of type ${shown(type)}: what they cost cannot be bounded`,
      );
    }
    const refused = REFUSED_FIELDS.find((name) => part[name] !== undefined && part[name] !== null);
    if (refused !== undefined) {
      throw invalidRequest(field, `${field} must not have ${refused}: what it costs cannot be bounded`);
    }
    if (image_url !== undefined && image_url !== null) {
      images++;
      const url = typeof image_url === "object" ? (image_url as Fields).url : image_url;
      if (typeof url === "string" && url.startsWith("data:image/")) imageBytes += Buffer.byteLength(url);
    }
    for (const member of Object.values(part)) measure(member);
  }

  measure(prompt);
  return { images, imageBytes };
}

function shown(type: string): string {
  return JSON.stringify(type.slice(0, 64));
}
