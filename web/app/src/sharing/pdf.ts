import type { PDFDocumentLoadingTask } from 'pdfjs-dist';
// The other build takes browsers of this year for granted.
import { GlobalWorkerOptions, getDocument, version } from 'pdfjs-dist/legacy/build/pdf.mjs';
import workerUrl from 'pdfjs-dist/legacy/build/pdf.worker.min.mjs?url';

GlobalWorkerOptions.workerSrc = workerUrl;

/** Where the build puts what the library fetches by itself: tables of Chinese letters, fonts, decoders. */
const PARTS = `/assets/pdfjs-${version}/`;

/** Opens a PDF; everything it needs comes from our own server, and nothing of it is run as a script. */
export function openPdf(url: string): PDFDocumentLoadingTask {
  return getDocument({
    url,
    cMapUrl: `${PARTS}cmaps/`,
    standardFontDataUrl: `${PARTS}standard_fonts/`,
    wasmUrl: `${PARTS}wasm/`,
    iccUrl: `${PARTS}iccs/`,
    isEvalSupported: false,
    enableXfa: false,
  });
}
