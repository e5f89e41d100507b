/* Tells who has an old browser so, in both languages and by what every browser knows; others notice nothing. */
(function () {
  var root = document.getElementById('root');
  // Whoever only watches needs no more than players do.
  var isNew =
    'noModule' in document.createElement('script') &&
    'toReversed' in [] &&
    (!root || 'RTCPeerConnection' in window);
  if (isNew) return;
  var WORDS = {
    'zh-CN': {
      title: '浏览器版本过旧',
      noMeetings: '此浏览器版本过旧，无法参加会议。',
      noLivestreams: '此浏览器版本过旧，无法观看直播。',
      newer: '请更新浏览器，或改用新版 Chrome、Edge、Firefox、Safari。也可以用电话拨打接入号码入会。',
    },
    en: {
      title: 'Browser too old',
      noMeetings: 'This browser is too old for meetings.',
      noLivestreams: 'This browser is too old for livestreams.',
      newer:
        'Update it, or use a current version of Chrome, Edge, Firefox or Safari. You can also dial in by phone.',
    },
  };
  var box = document.createElement('div');
  box.setAttribute('data-testid', 'old-browser');
  box.style.cssText = 'max-width:32em;margin:12vh auto;padding:0 24px;font:16px/1.6 sans-serif';
  var logo = document.createElement('img');
  logo.src = '/favicon.svg';
  logo.alt = '';
  logo.style.cssText = 'width:56px;height:56px';
  box.appendChild(logo);
  ['zh-CN', 'en'].forEach(function (language, at) {
    var words = WORDS[language];
    var put = function (kind, text) {
      var line = document.createElement(kind);
      line.lang = language;
      if (kind !== 'p') line.style.cssText = 'margin:16px 0 0;font-size:20px';
      line.appendChild(document.createTextNode(text));
      box.appendChild(line);
    };
    put(at === 0 ? 'h1' : 'h2', words.title);
    put('p', (root ? words.noMeetings : words.noLivestreams) + (language === 'en' ? ' ' : '') + words.newer);
  });
  var dial = document.createElement('div');
  dial.id = 'dial';
  var isDark = 'matchMedia' in window && matchMedia('(prefers-color-scheme: dark)').matches;
  dial.style.color = isDark ? '#63bfd2' : '#17788d';
  box.appendChild(dial);
  // Of the watch page nothing is left: its own script finds nothing to go on with.
  if (!root) document.body.innerHTML = '';
  (root || document.body).appendChild(box);
  var numbers = document.createElement('script');
  numbers.src = '/dial.js';
  document.body.appendChild(numbers);
})();
