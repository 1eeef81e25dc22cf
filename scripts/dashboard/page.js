(function () {
  var page = JSON.parse(document.getElementById('aa-page').textContent);
  var here = new URLSearchParams(location.search);

  // One address for every screen and theme: the look is the reader's own.
  var dark = matchMedia('(prefers-color-scheme: dark)').matches;
  try { dark = (localStorage.getItem('aa-theme') || (dark ? 'dark' : 'light')) === 'dark'; } catch (e) { }
  function lookFor(isDark) { return (isDark ? 'dark' : 'light') + (innerWidth < 700 ? '-phone' : '-wide'); }
  function show(look) {
    if (page.isStatic) location.replace('../' + look + '/' + location.pathname.split('/').pop());
    else {
      document.cookie = 'aa-look=' + look + '; path=/; max-age=31536000; samesite=lax';
      if (document.cookie.indexOf('aa-look=' + look) >= 0) location.reload();
    }
  }
  if (page.look && lookFor(dark) !== page.look) show(lookFor(dark));

  var button = document.getElementById('aa-theme');
  button.addEventListener('click', function () {
    var isDark = page.look.indexOf('dark') !== 0;
    try { localStorage.setItem('aa-theme', isDark ? 'dark' : 'light'); } catch (e) { }
    show(lookFor(isDark));
  });

  // What is no filter of all pages, such as the run that is shown, stays.
  document.querySelectorAll('a[data-aa-plain]').forEach(function (link) {
    var rest = new URLSearchParams(location.search);
    page.filters.forEach(function (filter) { rest.delete(filter); });
    link.setAttribute('href', location.pathname + (String(rest) ? '?' + rest : ''));
  });

  // Filters go along with every link; a link that sets one itself keeps it.
  function takeFilters(link) {
    var name = link.hasAttribute('href') ? 'href' : 'xlink:href';
    var target = link.getAttribute(name);
    if (page.isStatic || link.hasAttribute('data-aa-plain') || !target || target[0] !== '/' || target[1] === '/') return;
    var url = new URL(target, location.origin);
    page.filters.forEach(function (filter) {
      if (!url.searchParams.has(filter) && here.get(filter)) url.searchParams.set(filter, here.get(filter));
    });
    link.setAttribute(name, url.pathname + url.search);
  }
  // the navigation works while the charts are still being drawn
  document.querySelectorAll('.aa-bar a').forEach(takeFilters);

  addEventListener('DOMContentLoaded', function () {
    document.querySelectorAll('main a').forEach(takeFilters);

    // Numbers are rounded for people; the exact value shows on hover. Those of the headline stand in the last line,
    // which is for this script.
    function tell(element, text) {
      var title = document.createElementNS('http://www.w3.org/2000/svg', 'title');
      title.textContent = text;
      element.appendChild(title);
      element.style.pointerEvents = 'auto';
    }
    document.querySelectorAll('svg text[data-value]').forEach(function (cell) {
      tell(cell, cell.getAttribute('data-value'));
    });
    var texts = Array.from(document.querySelectorAll('main svg text'));
    var first = texts.findLastIndex(function (text) { return text.textContent.trim().indexOf('Exactly: ') === 0; });
    var last = first < 0 ? [] : texts.slice(first);
    var exact = last.map(function (text) { text.style.display = 'none'; return text.textContent.trim(); }).join(' ').slice(9).split(' · ');
    document.querySelectorAll('[data-chart-type="kpi"]').forEach(function (kpi) {
      var label = kpi.getAttribute('data-chart-title') + ': ';
      exact.forEach(function (entry) { if (entry.indexOf(label) === 0) tell(kpi, entry.slice(label.length)); });
    });
  });
})();
