/** Turns a screenshot into WebP, a third of the size of its PNG: the browser has the encoder. */
import type { Page } from "playwright-core";

/** Small text has no visible artefacts above this. */
const QUALITY = 0.8;

/** @param page  any page of the browser; its content stays as it is */
export async function webpOf(page: Page, png: Buffer): Promise<Buffer> {
  const blank = await page.context().newPage();
  try {
    const source = `data:image/png;base64,${png.toString("base64")}`;
    const url = await blank.evaluate<string>(`(async () => {
      const image = new Image();
      image.src = ${JSON.stringify(source)};
      await image.decode();
      const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
      canvas.getContext("2d").drawImage(image, 0, 0);
      const blob = await canvas.convertToBlob({ type: "image/webp", quality: ${QUALITY} });
      const reader = new FileReader();
      reader.readAsDataURL(blob);
      await new Promise((done) => (reader.onload = done));
      return reader.result.slice(reader.result.indexOf(",") + 1);
    })()`);
    return Buffer.from(url, "base64");
  } finally {
    await blank.close();
  }
}
