/**
 * Replaces a language of the browser that its own `Intl` rejects. Import it before uPlot, which throws on
 * one: Chromium started with `LANG=C.UTF-8` reports `en-US@posix`.
 */

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

if (!isLanguage(navigator.language))
  Object.defineProperty(navigator, "language", { value: "en", configurable: true });
