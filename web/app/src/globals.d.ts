/** Of the package that blurs backgrounds: said by the build. */
declare const __BACKGROUND_VERSION__: string;
