// A browser at the other end of a pipe: one JSON call a line on stdin, one answer a line on stdout. The stories are told
// in Rust (tests/harness/browser.rs); here is only what must be done where Playwright and the page are.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium, firefox } = require('playwright-core');

const [tone, picture, devices = 'all', locale = 'en-US'] = process.argv.slice(2);
const PATIENCE_MS = 30_000;

const FAKE = [
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  `--use-file-for-fake-audio-capture=${tone}`,
  `--use-file-for-fake-video-capture=${picture}`,
];

/** What the machine has, and what the browser answers when a page asks for it. */
const DEVICES = {
  all: FAKE,
  phone: FAKE,
  // Where tests run there is neither a real camera nor a real microphone.
  none: ['--use-fake-ui-for-media-stream'],
  'no-camera': [
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream=device-count=0',
    `--use-file-for-fake-audio-capture=${tone}`,
  ],
  two: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=device-count=2'],
  // Nothing sounds before somebody has touched the page.
  silent: ['--use-fake-ui-for-media-stream'],
  // Nobody answers the browser's question: it answers no.
  forbidden: FAKE.slice(1),
};

const isFirefox = devices === 'firefox';
/** A telephone: small, upright, and touched with a finger. */
const isPhone = devices === 'phone';
const browser = isFirefox ? await launchFirefox() : await launchChromium();
const context = await browser.newContext({
  locale,
  // The server's certificate is its own.
  ignoreHTTPSErrors: true,
  ...(isPhone
    ? { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }
    : { viewport: { width: 1440, height: 900 } }),
});
const granted = devices === 'forbidden' ? [] : ['camera', 'microphone'];
await context.grantPermissions([...granted, 'clipboard-read', 'clipboard-write']).catch(() => undefined);
// The tones of these tests are just what the suppression of noise takes out.
await context.addInitScript(() => {
  const devices = navigator.mediaDevices;
  if (!devices) return;
  const open = devices.getUserMedia.bind(devices);
  const off = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  // A camera that is a file has the file's path for a name.
  const list = devices.enumerateDevices.bind(devices);
  devices.enumerateDevices = async () =>
    (await list()).map(({ deviceId, groupId, kind, label }) => {
      return { deviceId, groupId, kind, label: label.startsWith('/') ? 'Camera' : label };
    });
  devices.getUserMedia = wanted => open({ ...wanted, ...(wanted.audio && { audio: { ...wanted.audio, ...off } }) });
});
const said = [];
const pages = [];
/** The tab that is looked at. */
let page;
await newTab();

function launchChromium() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(devices === 'silent' ? [] : ['--autoplay-policy=no-user-gesture-required']),
      '--allow-loopback-in-peer-connection',
      '--auto-select-desktop-capture-source=Entire screen',
      ...DEVICES[devices],
    ],
  });
}

/** The one that Debian has, by the standard's protocol: its camera changes its colour, its microphone hums at `tone` Hz. */
function launchFirefox() {
  return firefox.launch({
    channel: 'moz-firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    firefoxUserPrefs: {
      'media.navigator.permission.disabled': true,
      'media.navigator.streams.fake': true,
      'media.navigator.audio.fake_frequency': Number(tone),
      'media.autoplay.default': 0,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
    },
  });
}

async function newTab() {
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('console', message => said.push(`${message.type()}: ${message.text()} (${message.location().url})`));
  page.on('pageerror', error => said.push(`thrown: ${error.stack ?? error}`));
  pages.push(page);
  return page;
}

async function showTab(at) {
  page = pages[at];
  await page.bringToFront();
}

/** Everything the page plays, in one: seconds of it as 16-bit samples at 48 kHz. */
async function hear(seconds) {
  return page.evaluate(async seconds => {
    const context = new AudioContext({ sampleRate: 48_000 });
    await context.resume();
    const sum = context.createGain();
    for (const element of document.querySelectorAll('audio, video')) {
      const stream = element.srcObject;
      if (element.muted) continue;
      if (stream?.getAudioTracks().length) context.createMediaStreamSource(stream).connect(sum);
      else if (!stream && element.captureStream) context.createMediaStreamSource(element.captureStream()).connect(sum);
    }
    // Deprecated, but a worklet is a script of its own, which the page's security policy forbids.
    const ear = context.createScriptProcessor(4_096, 1, 1);
    const samples = new Int16Array(seconds * 48_000);
    let filled = 0;
    const full = new Promise(resolve => {
      ear.onaudioprocess = ({ inputBuffer }) => {
        for (const sample of inputBuffer.getChannelData(0)) {
          if (filled < samples.length) samples[filled++] = Math.max(-1, Math.min(1, sample)) * 32_767;
        }
        if (filled === samples.length) resolve();
      };
    });
    sum.connect(ear).connect(context.destination);
    await full;
    await context.close();
    return Array.from(samples);
  }, seconds);
}

/** The same in Firefox, whose contexts stand still on a machine without sound: each stream is recorded, and decoded again. */
async function hearRecorded(seconds) {
  return page.evaluate(async seconds => {
    const streams = [...document.querySelectorAll('audio, video')]
      .filter(({ muted, srcObject }) => !muted && srcObject?.getAudioTracks().length)
      .map(({ srcObject }) => new MediaStream(srcObject.getAudioTracks()));
    const sum = new Float32Array(seconds * 48_000);
    await Promise.all(
      streams.map(async stream => {
        const recorder = new MediaRecorder(stream);
        const parts = [];
        recorder.ondataavailable = ({ data }) => parts.push(data);
        const stopped = new Promise(resolve => (recorder.onstop = resolve));
        recorder.start();
        // What an encoder adds before and after is cut off.
        await new Promise(resolve => setTimeout(resolve, (seconds + 0.5) * 1_000));
        recorder.stop();
        await stopped;
        const bytes = await new Blob(parts).arrayBuffer();
        const decoded = await new OfflineAudioContext(1, 1, 48_000).decodeAudioData(bytes);
        decoded.getChannelData(0).forEach((sample, at) => at < sum.length && (sum[at] += sample));
      }),
    );
    return Array.from(sum, sample => Math.max(-1, Math.min(1, sample)) * 32_767 | 0);
  }, seconds);
}

/** The mean colour of the middle of a playing picture, as red, green and blue from 0 to 255. */
async function colour(selector) {
  return page.evaluate(async selector => {
    // Whoever looks again and again leaves the page time to paint.
    await new Promise(resolve => setTimeout(resolve, 50));
    const video = document.querySelector(selector);
    // A canvas is there at once.
    if (!video || video.readyState < 2) return null;
    const canvas = new OffscreenCanvas(16, 16);
    const context = canvas.getContext('2d');
    const { videoWidth: width = video.width, videoHeight: height = video.height } = video;
    context.drawImage(video, width / 4, height / 4, width / 2, height / 2, 0, 0, 16, 16);
    const { data } = context.getImageData(0, 0, 16, 16);
    const sum = [0, 0, 0];
    data.forEach((value, at) => at % 4 < 3 && (sum[at % 4] += value));
    return sum.map(value => value / 256);
  }, selector);
}

/** Presses at one place of an element and lets go at another, each as a share of its width and height. */
async function drag(selector, from, to) {
  const box = await page.locator(selector).boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 12 });
  await page.mouse.up();
}

/** The browser's own protocol, kept open: what it emulates ends with it. */
const sessions = new WeakMap();
async function session() {
  if (!sessions.has(page)) sessions.set(page, await context.newCDPSession(page));
  return sessions.get(page);
}

/** The same with a finger. */
async function swipe(selector, from, to) {
  const box = await page.locator(selector).boundingBox();
  const session = await context.newCDPSession(page);
  const touch = (type, share) => {
    const at = axis => from[axis] + (to[axis] - from[axis]) * share;
    const touchPoints = type === 'touchEnd' ? [] : [{ x: box.x + at(0) * box.width, y: box.y + at(1) * box.height }];
    return session.send('Input.dispatchTouchEvent', { type, touchPoints });
  };
  await touch('touchStart', 0);
  for (let step = 1; step <= 12; step++) await touch('touchMove', step / 12);
  // It rests before it is lifted: else it has thrown the page, and the next touch only stops that.
  await setTimeout(200);
  await touch('touchMove', 1);
  await touch('touchEnd', 1);
  await session.detach();
}

/** Playwright's own tells Firefox's pages nothing of it. */
async function fill(selector, text) {
  if (!isFirefox) return page.fill(selector, text);
  await page.click(selector);
  await page.evaluate(text => {
    const field = document.activeElement;
    // Not the field's own: that is what React looks whether it was told by.
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value').set.call(field, text);
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  }, text);
}

/** Clicks what hands out a file, and keeps that; its name. */
async function download(selector, path) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
  await file.saveAs(path);
  return file.suggestedFilename();
}

/** Playwright's own waiting compiles in the page, which its security policy forbids. */
async function until(expression) {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await setTimeout(50)) {
    if (await page.evaluate(expression)) return;
  }
  throw new Error(`${expression} never holds at ${page.url()}`);
}

/** What axe-core finds that keeps people out: its serious and critical rules, or those named, each with where. */
async function axe(rules) {
  if (await page.evaluate('!window.axe')) {
    await page.evaluate(await readFile(require.resolve('axe-core/axe.min.js'), 'utf8'));
  }
  return page.evaluate(async rules => {
    // A page hears of another light with the next frame, and what changes its colours begins then.
    await new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown)));
    // What is on its way in or out has colours of its own; what turns for ever is not waited for.
    const ending = document.getAnimations().filter(one => Number.isFinite(one.effect?.getComputedTiming().endTime));
    await Promise.all(ending.map(one => one.finished.catch(() => undefined)));
    const { violations } = await window.axe.run(document, {
      resultTypes: ['violations'],
      preload: false,
      // WCAG 2.2 AA, and off where nobody asks for it.
      rules: { 'target-size': { enabled: true } },
      ...(rules.length > 0 && { runOnly: { type: 'rule', values: rules } }),
    });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} (${failureSummary})`).join(' | ')}`);
  }, rules);
}

const calls = {
  open: url => page.goto(url),
  click: selector => (isPhone ? page.tap(selector) : page.click(selector)),
  fill,
  choose: (selector, value) => page.selectOption(selector, value),
  drag: isPhone ? swipe : drag,
  download,
  hover: selector => page.hover(selector),
  upload: (selector, path) => page.setInputFiles(selector, path),
  type: text => page.keyboard.type(text),
  before: script => context.addInitScript(script),
  reload: () => page.reload(),
  press: key => page.keyboard.press(key),
  keyDown: key => page.keyboard.down(key),
  keyUp: key => page.keyboard.up(key),
  see: selector => page.waitForSelector(selector, { state: 'visible' }),
  miss: selector => page.waitForSelector(selector, { state: 'hidden' }),
  text: selector => page.innerText(selector),
  until,
  evaluate: expression => page.evaluate(expression),
  allow: what => context.grantPermissions(what),
  newTab,
  showTab,
  size: (width, height) => page.setViewportSize({ width, height }),
  // As if a finger pointed, from now on or no longer.
  finger: async on =>
    (await session()).send('Emulation.setTouchEmulationEnabled', { enabled: on, maxTouchPoints: on ? 5 : 1 }),
  zone: async timezoneId => (await session()).send('Emulation.setTimezoneOverride', { timezoneId }),
  dark: on => page.emulateMedia({ colorScheme: on ? 'dark' : 'light' }),
  offline: on => context.setOffline(on),
  screenshot: path => page.screenshot({ path }),
  said: () => said,
  axe,
  hear: isFirefox ? hearRecorded : hear,
  colour,
};

// Whatever hangs, nobody waits for it.
process.stdin.once('end', () => setTimeout(PATIENCE_MS / 3).then(() => process.exit(1)));
console.log('{}');
for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  try {
    const answer = await calls[call](...args);
    const plain = ['text', 'evaluate', 'said', 'hear', 'colour', 'axe', 'download'].includes(call);
    console.log(JSON.stringify({ answer: plain ? answer : null }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.message ?? error}\n${said.slice(-10).join('\n')}` }));
  }
}
await browser.close();
process.exit();
