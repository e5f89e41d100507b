/** What the watch page says; it has no need of the app's catalogues and their machinery. */
const WORDS = {
  'zh-CN': {
    brand: '会通直播',
    live: '直播',
    toLive: '回到直播',
    replay: '回放',
    latency: '延迟 {} 秒',
    unmute: '点击播放声音',
    loading: '正在打开…',
    waiting: '直播尚未开始，开始后会自动播放。',
    buffering: '正在缓冲…',
    resuming: '直播中断，正在恢复…',
    ended: '直播已结束',
    missing: '没有这场直播。请检查链接是否完整。',
    unreachable: '无法连接服务器，正在重试…',
    unplayable: '此浏览器无法播放直播。请换用 Chrome、Edge、Safari 或 Firefox 的新版本。',
    barred: '正在打开…',
    password: '观看此直播需要密码',
    wrongPassword: '密码错误，请重新输入',
    tries: '密码错误次数过多，请几分钟后再试',
    link: '观看链接无效或已失效，请向主持人索取新的链接。',
    login: '此直播仅限本站点的登录用户观看',
    notYours: '您的账号不属于此直播所在的站点',
    passwordField: '观看密码',
    enter: '进入',
    toLogin: '去登录',
    play: '播放（空格）',
    pause: '暂停（空格）',
    soundOn: '打开声音（M）',
    soundOff: '静音（M）',
    volume: '音量',
    seek: '播放位置',
    quality: '清晰度',
    auto: '自动',
    soundOnly: '仅声音',
    captions: '字幕（C）',
    full: '全屏（F）',
    viewers: '{} 人在看',
    peak: '最多同时 {} 人',
    hostedBy: '主持人：{}',
    startsAt: '预定开始时间：{}',
    retry: '重试',
    chat: '互动聊天',
    chatEmpty: '还没有消息，来说第一句吧',
    yourName: '您的昵称',
    writesAs: '昵称：{}',
    write: '说点什么',
    send: '发送',
    host: '主持人',
    tooFast: '发言过于频繁，请稍候再发',
    badName: '请填写昵称：最多40个字，不含特殊字符',
    badText: '内容不能为空，最多300个字',
    chatOver: '直播已结束',
    notSent: '发送失败，请重试',
    other: 'English',
  },
  en: {
    brand: 'Huitong live',
    live: 'LIVE',
    toLive: 'Go to live',
    replay: 'Replay',
    latency: '{} s behind',
    unmute: 'Click to hear it',
    loading: 'Opening…',
    waiting: 'Not live yet. It plays by itself once it is.',
    buffering: 'Buffering…',
    resuming: 'The stream was interrupted and is coming back…',
    ended: 'This livestream has ended',
    missing: 'There is no such livestream. Is the link complete?',
    unreachable: 'The server can’t be reached; trying again…',
    unplayable: 'This browser can’t play the stream. A current Chrome, Edge, Safari or Firefox can.',
    barred: 'Opening…',
    password: 'This livestream has a password',
    wrongPassword: 'That was not the password; try again',
    tries: 'Too many wrong passwords. Try again in a few minutes.',
    link: 'This link is not valid, or no longer. Ask the host for a new one.',
    login: 'Only people logged in at this site may watch',
    notYours: 'Your account is of another site than this livestream',
    passwordField: 'Password',
    enter: 'Watch',
    toLogin: 'Log in',
    play: 'Play (space)',
    pause: 'Pause (space)',
    soundOn: 'Sound on (M)',
    soundOff: 'Mute (M)',
    volume: 'Volume',
    seek: 'Position',
    quality: 'Quality',
    auto: 'Auto',
    soundOnly: 'Sound only',
    captions: 'Captions (C)',
    full: 'Full screen (F)',
    viewers: '{} watching',
    peak: 'at most {} at once',
    hostedBy: 'Host: {}',
    startsAt: 'Planned to begin at {}',
    retry: 'Try again',
    chat: 'Chat',
    chatEmpty: 'Nobody has written yet. Be the first.',
    yourName: 'Your name',
    writesAs: 'As {}',
    write: 'Write something',
    send: 'Send',
    host: 'Host',
    tooFast: 'Too much is being written; wait a moment',
    badName: 'A name has 1 to 40 characters and none of the special ones',
    badText: 'A message has 1 to 300 characters',
    chatOver: 'This livestream has ended',
    notSent: 'It could not be sent; try again',
    other: '中文',
  },
} as const;

export type Language = keyof typeof WORDS;
export type Word = keyof (typeof WORDS)['zh-CN'];

const CHOSEN = 'huitong.language';

/** What was chosen here (or in the app) before, else the browser's first language. */
export function preferredLanguage(chosen: string | null, browser: string): Language {
  if (chosen === 'zh-CN' || chosen === 'en') return chosen;
  return browser.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

let language: Language = 'zh-CN';

export function startWords(): void {
  language = preferredLanguage(localStorage.getItem(CHOSEN), navigator.language);
}

export function otherLanguage(): void {
  language = language === 'en' ? 'zh-CN' : 'en';
  localStorage.setItem(CHOSEN, language);
}

export function currentLanguage(): Language {
  return language;
}

export function word(name: Word, value = ''): string {
  // A function: what somebody wrote may have a `$&` in it.
  return WORDS[language][name].replace('{}', () => value);
}
