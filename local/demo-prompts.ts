/** The prompts of the callers of the demo. */
export const DEMO_PROMPTS = [
  "What is machine learning?",
  "Explain the difference between TCP and UDP to a ten-year-old.",
  "Write a haiku about the sea in winter.",
  "Summarise the plot of Hamlet in three sentences.",
  "Why is the sky blue?",
  "Give me five names for a bakery in Lyon.",
  "Translate 'where is the station?' into Italian and Japanese.",
  "What does `git rebase --onto` do?",
  "Suggest a dinner with chickpeas, spinach and no dairy.",
  "How do I read a file line by line in Python?",
  "What were the causes of the French Revolution?",
  "Review this sentence: 'Their going to they're house over there.'",
  "Explain gradient descent without formulas.",
  "Draft a polite e-mail that moves a meeting to Thursday.",
];
