"""Pages with known text, for bench/html.py.

First, documentation that Debian packages ship beside its source (reST, Markdown,
AsciiDoc): the truth is the source without its markup. Six makes of page: three
themes of Sphinx, Debian's manuals, AsciiDoc, Node.js' own. Then eight templates
as news sites, blogs, shops' help pages, forums, old sites and magazines have
them, around paragraphs of those sources: there the truth is exact.
"""

import glob
import gzip
import html
import os
import re

WORDS_MIN, WORDS_MAX = 150, 6000


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return f.read().decode("utf-8", "replace")


def plain_rst(text):
    """reST without its markup: names of directives and roles, options, labels,
    tables of contents and remarks are not text of the page."""
    lines, skip = [], None
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        if skip is not None:
            if not line.strip() or indent > skip:
                continue
            skip = None
        mark = re.match(r"(\s*)\.\.(?:\s|$)", line)
        if mark:
            directive = re.match(r"\s*\.\. (?:\|\w+\| )?([\w:-]+)::(.*)", line)
            if not directive or directive.group(1) in (
                    "toctree", "contents", "index", "only", "image", "raw",
                    "include", "highlight", "currentmodule", "math"):
                skip = len(mark.group(1))
                continue
            line = directive.group(2)
        elif re.match(r"\s+:[\w-]+:(\s|$)", line):
            continue
        lines.append(line)
    text = "\n".join(lines)
    text = re.sub(r":[\w:+-]+:`[~!]?([^`<]*?)\s*<[^`>]*>`", r"\1", text)
    text = re.sub(r":[\w:+-]+:`[~!]?([^`]*)`", r"\1", text)
    return re.sub(r"`([^`<]*?)\s*<[^`>]*>`_+", r"\1", text)


def plain_md(text):
    text = re.sub(r"(?s)<!--.*?-->", " ", text)
    text = re.sub(r"(?m)^\[[^\]]+\]:.*$", " ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"\]\[[^\]]*\]", "]", text)
    return re.sub(r"(?m)^```\w*", " ", text)


def plain_asciidoc(text):
    text = re.sub(r"(?m)^(:[\w-]+:.*|\[[^\]]*\]|include::.*|//.*|ifn?def.*|"
                  r"endif.*)$", " ", text)
    text = re.sub(r"linkgit:([\w-]+)\[(\d)\]", r"\1(\2)", text)
    text = re.sub(r"<<[^,>]*,([^>]*)>>", r"\1", text)
    return re.sub(r"(?:link|https?):\S*\[([^\]]*)\]", r"\1", text)


def words(text):
    return re.findall(r"\w+", text.lower())


# make, pages, the source of a page, its markup
SOURCES = (
    ("python", "python3.11-doc/usr/share/doc/python3.11/html/"
     "{library,howto,tutorial,reference}/*.html",
     lambda p: p.replace("/html/", "/html/_sources/")[:-5] + ".rst.txt",
     plain_rst),
    ("linux", "linux-doc-6.1/usr/share/doc/linux-doc-6.1/html/"
     "{admin-guide,process,networking,filesystems}/*.html",
     lambda p: p.replace("/html/", "/html/_sources/")[:-5] + ".rst.txt",
     plain_rst),
    ("cmake", "cmake-doc/usr/share/doc/cmake-data/html/{command,manual}/*.html",
     lambda p: p.replace("/html/", "/html/_sources/")[:-5] + ".rst.txt",
     plain_rst),
    ("debian", "d{ebian-policy/usr/share/doc/debian-policy/policy.html,"
     "evelopers-reference/usr/share/developers-reference}/*.html",
     lambda p: os.path.join(os.path.dirname(p), "_sources",
                            os.path.basename(p)[:-5] + ".rst.txt"),
     plain_rst),
    ("git", "git-doc/usr/share/doc/git-doc/git{-,}*.html",
     lambda p: p[:-5] + ".txt", plain_asciidoc),
    ("node", "nodejs-doc/usr/share/doc/nodejs/api/*.html",
     lambda p: p[:-5] + ".md.gz", plain_md),
)


def spread(items, n):
    """n of the items, evenly."""
    return [items[i * len(items) // n] for i in range(min(n, len(items)))]


def braces(pattern):
    m = re.search(r"\{([^}]*)\}", pattern)
    if not m:
        return [pattern]
    return [p for part in m.group(1).split(",")
            for p in braces(pattern[:m.start()] + part + pattern[m.end():])]


def documented(debs, make, pattern, source, plain, n):
    found = []
    paths = sorted({p for one in braces(pattern)
                    for p in glob.glob(os.path.join(debs, one))})
    for path in paths:
        beside = source(path)
        if not os.path.isfile(beside):
            continue
        text = plain(read(beside))
        if "include::" in read(beside) or "automodule::" in read(beside) or \
                "kernel-doc::" in read(beside) or "kernel-feat::" in text:
            continue
        if WORDS_MIN <= len(words(text)) <= WORDS_MAX:
            found.append((make, path, text))
    return [(m, p, open(p, "rb").read(), t) for m, p, t in spread(found, n)]


def paragraphs(debs):
    """Plain prose: paragraphs of the kernel's and Python's documentation."""
    out = []
    for make, pattern, source, plain in SOURCES[:2]:
        for one in braces(pattern):
            for path in sorted(glob.glob(os.path.join(debs, one)))[::7]:
                if not os.path.isfile(source(path)):
                    continue
                for p in plain(read(source(path))).split("\n\n"):
                    p = " ".join(p.split())
                    if re.fullmatch(r"[A-Z][\w ,.;:'()*`-]{120,700}\.", p):
                        out.append(re.sub(r"[*`]+", "", p))
    return out


NAV = "".join(f'<li class="menu-item"><a href="/{w.lower()}">{w}</a></li>'
              for w in ("Home", "World", "Business", "Technology", "Science",
                        "Health", "Sports", "Arts", "Opinion", "Podcasts"))
COOKIES = ("<p>We and our 842 partners store and access personal data on your "
           "device, such as browsing data or unique identifiers. Selecting "
           "accept enables tracking technologies to support the purposes shown "
           "under how we process your data.</p><button>Accept all</button> "
           "<button>Reject all</button>")
RELATED = "".join(f'<li><a href="/s{i}">{t}</a></li>' for i, t in enumerate((
    "Ten things to know before the week begins", "Why nobody answers the phone",
    "The quiet return of the paper map", "What the neighbours really think",
    "Five recipes for a cold evening", "How a village saved its last bakery")))
REMARKS = (
    "I have been saying this for years and nobody listens. Finally somebody "
    "puts it into words, thank you for that.",
    "Did the author even try it? On my machine it never worked, whatever I "
    "did, and the support only sends canned answers.",
    "Great piece. Subscribed, and looking forward to the next part.")
LEGAL = ("Copyright 2024 Example Media Group. All rights reserved. No part of "
         "this site may be reproduced without permission. "
         '<a href="/terms">Terms of use</a> <a href="/privacy">Privacy</a> '
         '<a href="/ads">Advertise with us</a> <a href="/jobs">Careers</a>')
LETTER = ("Get the stories that matter in your inbox each morning. By signing "
          "up you agree to receive mail from us and accept our terms.")


def body_of(parts, ps="<p>", pe="</p>"):
    return "".join(f"<h2>{html.escape(t)}</h2>" if k == "h" else
                   f"<ul><li>{html.escape(t)}</li></ul>" if k == "l" else
                   f"{ps}{html.escape(t)}{pe}" for k, t in parts)


def page(title, head, body):
    return (f"<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>"
            f"{html.escape(title)} | The Example</title>{head}</head>"
            f"<body>{body}</body></html>")


def news(title, parts):
    half = len(parts) // 2
    return page(title, "", f"""<div class="c-consent" id="consent">{COOKIES}</div>
<div class="site-top"><a href="/">The Example</a><ul class="nav">{NAV}</ul></div>
<div class="wrap"><div class="col-main"><h1>{html.escape(title)}</h1>
<div class="byline">By <a href="/a">A. Writer</a>, 4 May 2024</div>
<div class="story">{body_of(parts[:half])}
<div class="ad-slot"><span>Advertisement</span></div>
<div class="newsletter"><h3>Morning briefing</h3><p>{LETTER}</p></div>
{body_of(parts[half:])}</div>
<div class="tags"><a href="/t/1">politics</a> <a href="/t/2">water</a></div>
<div class="related"><h3>More on this story</h3><ul>{RELATED}</ul></div></div>
<div class="col-side"><div class="most-read"><h3>Most read</h3><ol>{RELATED}</ol>
</div></div></div><div class="site-footer"><p>{LEGAL}</p></div>""")


def blog(title, parts):
    remarks = "".join(f'<li class="comment"><cite>Reader {i}</cite><p>{r}</p>'
                      '<a href="#r">Reply</a></li>'
                      for i, r in enumerate(REMARKS))
    return page(title, "", f"""<div id="page"><header id="masthead"><p class=
"site-title"><a href="/">The Example</a></p><nav><ul>{NAV}</ul></nav></header>
<div id="content"><main><article class="post hentry"><header class=
"entry-header"><h1 class="entry-title">{html.escape(title)}</h1><div class=
"entry-meta">Posted on 4 May 2024 by <a href="/a">Ann</a></div></header>
<div class="entry-content">{body_of(parts)}<div class="sharedaddy"><h3>Share
this:</h3><ul><li><a href="#">Twitter</a></li><li><a href="#">Facebook</a></li>
</ul></div></div><footer class="entry-meta">Posted in <a href="/c">Notes</a>
</footer></article><nav class="post-navigation"><a href="/p">Previous: On
maps</a> <a href="/n">Next: On bread</a></nav><div id="comments"><h2>3
thoughts</h2><ol>{remarks}</ol><form><p>Leave a Reply. Your email address will
not be published.</p></form></div></main></div><aside id="secondary"><section
class="widget"><h2>Recent Posts</h2><ul>{RELATED}</ul></section></aside>
<footer id="colophon"><p>{LEGAL}</p></footer></div>""")


def shop_help(title, parts):
    return page(title, "", f"""<header><a href="/">Example Shop</a><form role=
"search"><input><button>Search</button></form><nav><ul>{NAV}</ul></nav></header>
<div role="main"><ol class="breadcrumb"><li><a href="/">Help</a></li><li><a
href="/o">Orders</a></li><li>{html.escape(title)}</li></ol><h1>
{html.escape(title)}</h1><div class="article-body">{body_of(parts)}</div>
<div class="vote"><span>Was this article helpful?</span><button>Yes</button>
<button>No</button></div><section class="related-articles"><h2>Related
articles</h2><ul>{RELATED}</ul></section></div><footer>{LEGAL}</footer>
<div class="chat-popup"><p>Hello! Can we help you? Our agents usually answer
within two minutes.</p></div>""")


def old_site(title, parts):
    links = "".join(f'<a href="{i}.htm">{t}</a><br>' for i, t in enumerate(
        ("Home", "News", "Products", "Downloads", "Guest book", "Links")))
    return (f"<HTML><HEAD><TITLE>{html.escape(title)}</TITLE></HEAD><BODY "
            f"BGCOLOR=WHITE><TABLE WIDTH=100%><TR><TD COLSPAN=2><CENTER><FONT "
            f"SIZE=6>The Example</FONT></CENTER><TR><TD WIDTH=150 VALIGN=TOP>"
            f"{links}<TD VALIGN=TOP><H1>{html.escape(title)}</H1>"
            f"{body_of(parts, '<P>', '')}<TR><TD COLSPAN=2><HR><FONT SIZE=1>"
            f"{LEGAL}</FONT></TABLE></BODY></HTML>")


def magazine(title, parts):
    teasers = "".join(f'<article class="teaser"><h3><a href="/s{i}">{t}</a></h3>'
                      f"<p>{r}</p></article>" for i, (t, r) in enumerate(zip(
                          ("A year in the lighthouse", "The last typewriter",
                           "Bread and numbers"), REMARKS)))
    return page(title, "<script>var a = '<p>not text</p>';</script>", f"""
<div class="overlay modal" aria-hidden="true"><p>{LETTER}</p></div>
<div class="masthead"><ul class="menu">{NAV}</ul></div><main><article class=
"feature"><header><h1>{html.escape(title)}</h1><p class="author">Words by A.
Writer</p></header>{body_of(parts)}<aside class="promo"><p>{LETTER}</p></aside>
</article><section class="more"><h2>Read next</h2>{teasers}</section></main>
<footer><nav><ul>{NAV}</ul></nav><p>{LEGAL}</p></footer>""")


def soup(title, parts):
    """Names that mean nothing, as build tools make them."""
    links = "".join(f'<div class="x1q"><a class="x9z" href="/{i}">{t}</a></div>'
                    for i, t in enumerate(("Feed", "Explore", "Settings",
                                           "Your lists", "Upgrade")))
    return page(title, "", f"""<div id="__next"><div class="x0a"><div class=
"x0b">{links}</div><div class="x0c"><div class="x0d"><div class="x1a">
<h1 class="x1b">{html.escape(title)}</h1></div><div class="x1c"><a href="/u">A.
Writer</a><div>6 min read</div></div><div class="x2a">
{body_of(parts, '<div class="x2b"><span>', '</span></div>')}</div><div class=
"x3a"><a href="/l">412</a><a href="/c">37</a></div></div><div class="x4a"><div
class="x4b">Recommended</div><ul>{RELATED}</ul></div></div></div></div>""")


def wiki(title, parts):
    return page(title, "", f"""<div id="mw-navigation"><div role="navigation"><ul>
{NAV}</ul></div></div><div id="content" class="mw-body" role="main"><h1 id=
"firstHeading">{html.escape(title)}</h1><div id="bodyContent"><div id=
"mw-content-text">{body_of(parts)}<div id="toc" class="toc"><ul>{RELATED}</ul>
</div></div><div class="printfooter"><a href="/x">Retrieved from here</a></div>
<div id="catlinks"><a href="/c">Categories</a>: <ul><li><a href="/p">Water</a>
</li></ul></div></div></div><div id="footer" role="contentinfo"><p>{LEGAL}</p>
</div>""")


def forum(title, parts):
    first = "".join(f'<div class="post-body">{body_of([p])}</div>'
                    for p in parts)
    return page(title, "", f"""<div class="navbar"><ul>{NAV}</ul></div><div
class="container"><div class="breadcrumbs"><a href="/">Boards</a> &raquo; <a
href="/w">Water</a></div><h1>{html.escape(title)}</h1><div class="thread">
{first}</div><div class="pagination"><a href="?2">2</a> <a href="?3">3</a> <a
href="?2">Next</a></div><div class="sidebar"><h4>Latest threads</h4><ul>
{RELATED}</ul></div></div><div class="footer">{LEGAL}</div>""")


TEMPLATES = (news, blog, shop_help, old_site, magazine, soup, wiki, forum)


def made(debs, each):
    prose, out, at = paragraphs(debs), [], 0
    for i in range(each):
        for make in TEMPLATES:
            n = 4 + (at * 7) % 9
            ps = [prose[(at * 13 + k) % len(prose)] for k in range(n)]
            parts = [("p", p) for p in ps]
            parts.insert(2, ("h", "What has changed"))
            parts.insert(4, ("l", "Keep the old one until the new one runs"))
            title = f"On the {at + 1}th way to keep the pumps running"
            truth = "\n".join([title] + [t for _, t in parts])
            out.append((make.__name__, f"{make.__name__}-{i}",
                        make(title, parts).encode(), truth))
            at += 1
    return out


def pages(debs):
    """[(make, name, bytes of the page, its text)]; odd ones were looked at while
    the extractor was written, even ones (held out) were not."""
    out = []
    for make, pattern, source, plain in SOURCES:
        out += documented(debs, make, pattern, source, plain, 10)
    return out + made(debs, 4)
