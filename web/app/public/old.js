/* Tells who has an old browser so, in both languages and by what every browser knows; others notice nothing. */
(function () {
  var isNew =
    'noModule' in document.createElement('script') && 'toReversed' in [] && 'RTCPeerConnection' in window;
  if (isNew) return;
  var root = document.getElementById('root');
  var box = document.createElement('div');
  box.setAttribute('data-testid', 'old-browser');
  box.style.cssText = 'max-width:32em;margin:15vh auto;padding:0 24px;font:16px/1.6 sans-serif';
  [
    [
      'zh-CN',
      '此浏览器版本过旧，无法参加会议。请更新浏览器，或改用新版 Chrome、Edge、Firefox、Safari。也可以用电话拨打接入号码入会。',
    ],
    [
      'en',
      'This browser is too old for meetings. Update it, or use a current Chrome, Edge, Firefox or Safari. You can also dial in by telephone.',
    ],
  ].forEach(function (words) {
    var line = document.createElement('p');
    line.lang = words[0];
    line.appendChild(document.createTextNode(words[1]));
    box.appendChild(line);
  });
  root.appendChild(box);
})();
