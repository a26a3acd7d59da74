/** Example answers of Ollama to `/api/tags` and `/api/ps`. */

export const TAGS = {
  models: [
    {
      name: "llama3.2:latest",
      model: "llama3.2:latest",
      modified_at: "2025-10-03T23:34:03.409490317-07:00",
      size: 2019393189,
      digest: "a80c4f17acd5",
      details: {
        parent_model: "",
        format: "gguf",
        family: "llama",
        families: ["llama"],
        parameter_size: "3.2B",
        quantization_level: "Q4_K_M",
      },
      capabilities: ["completion"],
    },
  ],
};
export const PS = {
  models: [
    {
      name: "gemma4",
      model: "gemma4",
      size: 6591830464,
      digest: "c6eb396dbd59",
      details: { family: "gemma4" },
      expires_at: "2317-10-17T16:47:07.93355-07:00",
      size_vram: 5333539264,
      context_length: 4096,
    },
  ],
};
