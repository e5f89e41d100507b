/* Puts the telephone numbers into `#dial`, for pages that have nothing else of the client; nothing where there are none. */
(function () {
  var request = new XMLHttpRequest();
  request.open('GET', '/api/v1/info');
  request.onload = function () {
    if (request.status !== 200) return;
    JSON.parse(request.responseText).phones.forEach(function (phone) {
      var line = document.createElement('p');
      var link = document.createElement('a');
      link.href = 'tel:' + phone.number;
      link.style.color = 'inherit';
      link.setAttribute('data-testid', 'dial-number');
      link.appendChild(document.createTextNode(phone.number));
      if (phone.name) line.appendChild(document.createTextNode(phone.name + ' '));
      line.appendChild(link);
      document.getElementById('dial').appendChild(line);
    });
  };
  request.send();
})();
