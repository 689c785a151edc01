"""Hostile pages of HTML, each made when it is asked for; nothing is committed.
BOMBS: as in office.py."""

import functools
import random

from bombs.office import MIB, Zip

FAILED, DONE = "failed", "completed"
HEAD = "<!doctype html><html lang=en><title>Pumps</title><body>"
SEEN = "<p>The seen words of this page are more than its other words.</p>"
f = functools.partial


def page(inside="", before=SEEN, after="", head=HEAD):
    return (head + before + inside + after).encode()


def nest(opening, n, closing="", text="deep"):
    return page(opening * n + text + closing * n)


def attributes(n, each='a{}="1"'):
    return page("<p " + " ".join(each.format(i) for i in range(n)) + ">x</p>")


def laughs():
    """Entities that are declared are none in HTML; the longest that are known
    stand for two signs."""
    return page("<p>&NotGreaterFullEqual;&CounterClockwiseContourIntegral;" *
                200_000, head='<!doctype html [<!ENTITY a0 "ha">' + "".join(
                    f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">'
                    for i in range(30)) + "]><html><title>x</title>&a30;")


def misnested(n, *names):
    """Formatting elements that are closed in the order they were opened in."""
    return page("".join(f"<{a}>" for a in names * n) + "x" +
                "".join(f"</{a}>" for a in names * n))


def adopted(n):
    """A block in a formatting element that ends inside of it, again and
    again."""
    return page("<a href=x><b><i><u><p>x</a></b>" * n)


def noise(n, seed, alphabet):
    at = random.Random(seed)
    return page("".join(at.choice(alphabet) for _ in range(n)))


TAGS = ["<table>", "<tr>", "<td>", "</table>", "<select>", "<option>",
        "</select>", "<template>", "</template>", "<svg>", "</svg>", "<math>",
        "<mi>", "</math>", "<b>", "</b>", "<a>", "</a>", "<p>", "</p>",
        "<form>", "</form>", "<frameset>", "<ruby>", "<rt>", "<li>", "<body>",
        "<html>", "<head>", "<nobr>", "<button>", "<caption>", "<col>",
        "<colgroup>", "<plaintext x>", "<foreignObject>", "<desc>", "word ",
        "&amp;", "<!--", "-->", "<![CDATA[", "]]>", "</br>", "</p>", "<hr/>"]


def in_zip():
    z = Zip()
    z.add("page.html", page())
    return z.end()


BOMBS = {
    # depth
    **{f"a million of {tag}": (f(nest, tag, 1_000_000), DONE, "seen words")
       for tag in ("<div>", "<b>", "<a href=x>", "<p>", "<table>", "<svg>",
                   "<template>", "<select>", "<table><tr><td>")},
    **{f"300,000 of {tag}": (f(nest, tag, 300_000), DONE, "seen words")
       for tag in ("<ul><li>", "<blockquote>", "<math><mi>", "<font color=red>",
                   "<button>", "<nobr>", "<ruby><rt>", "<dl><dd>", "<object>",
                   "<form>", "<h1>", "<frameset>", "<span hidden>",
                   "<svg><foreignObject>", "<details><summary>", "<head>",
                   "<body class=x>", "<html lang=x>", "<caption>", "<isindex>",
                   "<select><option>", "<pre>", "<iframe>", "<noscript>")},
    "a million ends of what never began": (
        lambda: page("</div></b></table></p></br>" * 200_000), DONE,
        "seen words"),
    "a million deep, and closed": (
        f(nest, "<div>", 1_000_000, "</div>"), DONE, "seen words"),
    "tables in tables, closed": (
        f(nest, "<table><tr><td>", 300_000, "</table>"), DONE, "seen words"),
    "text loose in tables": (
        lambda: page("<table>" + "x<tr>y<b>z" * 300_000), DONE, "seen words"),
    # formatting elements
    "formatting elements closed in the wrong order": (
        f(misnested, 50_000, "a", "b", "i", "u"), DONE, "seen words"),
    "blocks in links that end inside": (f(adopted, 100_000), DONE,
                                        "seen words"),
    "formatting elements that are all different": (
        lambda: page("".join(f"<b class=c{i}><p>" for i in range(200_000))),
        DONE, "seen words"),
    "a link in a table in a link": (
        f(nest, "<a href=x><table><a href=y>", 100_000), DONE, "seen words"),
    # attributes
    "a million attributes": (f(attributes, 1_000_000), DONE, "seen words"),
    "a million times one attribute": (
        f(attributes, 1_000_000, "a=1"), DONE, "seen words"),
    "an attribute of 20 MB": (
        lambda: page("<p title='" + "x" * 20_000_000 + "'>x</p>"), DONE,
        "seen words"),
    "an attribute without an end": (
        lambda: page("<p title='" + "x " * 10_000_000), DONE, "seen words"),
    "a style of 10 MB": (
        lambda: page("<p style='" + "color:red;" * MIB + "'>x</p>"), DONE,
        "seen words"),
    "200,000 styles": (
        lambda: page("<i style='display:block;color:#fff0;font-size:1px;left:"
                     "-9999px'>x</i>" * 200_000), DONE, "seen words"),
    "a class of a million names": (
        lambda: page("<p class='" + "nav side " * 500_000 + "'>x</p>"), DONE,
        "seen words"),
    # what is no text
    "entities of entities": (laughs, DONE, "≧̸"),
    "a million entities": (lambda: page("&notit;&#xffffff;&#0;&amp" *
                                        250_000), DONE, "seen words"),
    "a number of a million digits": (
        lambda: page("&#" + "9" * 1_000_000 + ";&#x" + "f" * 1_000_000), DONE,
        "seen words"),
    "a comment of 50 MB without an end": (
        lambda: page("<!--x" + "-> " * 17_000_000), FAILED, "32 MiB"),
    "a comment of 30 MB without an end": (
        lambda: page("<!--x" + "-> " * 10_000_000), DONE, "seen words"),
    "a script of 50 MB without an end": (
        lambda: page("<script><!--<script>" + "</scripts " * 6_000_000), FAILED,
        "32 MiB"),
    "a script of 30 MB without an end": (
        lambda: page("<script><!--<script>" + "</scripts " * 3_000_000), DONE,
        "seen words"),
    "a style sheet of 30 MB": (
        lambda: page("<style>" + "p{color:red}" * 2_500_000), DONE,
        "seen words"),
    "300,000 comments": (lambda: page("<!--x-->" * 300_000), DONE,
                         "seen words"),
    "300,000 scripts": (lambda: page("<script>x</script>" * 300_000), DONE,
                        "seen words"),
    "a title of 30 MB": (
        lambda: page(head="<!doctype html><html><title>" + "title " * MIB * 5 +
                     "</title><body>"), DONE, "seen words"),
    "a title without an end": (
        lambda: page(head="<!doctype html><html><title>" + "title " * MIB),
        FAILED, "no text"),
    "plain text without an end": (
        lambda: page("<plaintext>" + "</plaintext>" * 300_000), DONE,
        "seen words"),
    "a text area of 30 MB": (
        lambda: page("<textarea>" + "x " * 15_000_000), DONE, "seen words"),
    "templates in templates": (f(nest, "<template><div>", 300_000,
                                 "</div></template>"), DONE, "seen words"),
    "frames and selections mixed": (
        f(nest, "<select><frameset><table><select><tr><option>", 100_000), DONE,
        "seen words"),
    "a frameset with a body": (
        lambda: b"<!doctype html><frameset><frame src=file:///etc/passwd>"
                b"</frameset><noframes><p>seen words of the page without "
                b"frames</noframes>", FAILED, "no text"),
    "a page that leads to itself": (
        lambda: page(head="<!doctype html><html><head>" +
                     "<meta http-equiv=refresh content='0;url=http://"
                     "127.0.0.1:9/'>" * 100_000 + "<base href=file:///etc/>"),
        DONE, "seen words"),
    "files and pages outside": (
        lambda: page("<iframe src=file:///etc/passwd></iframe><object data="
                     "/etc/passwd></object><embed src=/etc/passwd><link rel="
                     "import href=/etc/passwd><img src=http://127.0.0.1:9/>"
                     "<script src=http://127.0.0.1:9/></script>"), DONE,
        "seen words"),
    "data of 20 MB in a picture": (
        lambda: page("<img src='data:image/png;base64," + "A" * 20_000_000 +
                     "'>"), DONE, "seen words"),
    # text
    "300,000 paragraphs": (lambda: page("<p>word of many" * 300_000), DONE,
                           "seen words"),
    "a table of a million cells": (
        lambda: page("<table>" + ("<tr>" + "<td>c" * 1_000) * 1_000), DONE,
        "seen words"),
    "cells that span two billion": (
        lambda: page("<table>" + "<tr><th colspan=2147483647 rowspan="
                     "2147483647>a<th>b" * 1_000), DONE, "seen words"),
    "a list that begins at two billion": (
        lambda: page("<ol start=2147483647>" + "<li value=-2147483648>x" *
                     9_000), DONE, "seen words"),
    "a word of 5 MB": (lambda: page("<p>" + "x" * 5_000_000), DONE,
                       "seen words"),
    "40 MB of text": (lambda: page("<p>" + "many words " * 3_700_000), FAILED,
                      "32 MiB"),
    "a heading of 5 MB": (lambda: page("<h1>" + "head " * 1_000_000), DONE,
                          "seen words"),
    "100,000 headings": (lambda: page("<h1>a<h6>b<h2>c" * 33_000), DONE,
                         "seen words"),
    "200,000 links": (lambda: page("<li><a href=x>link of many</a>" * 200_000),
                      DONE, "seen words"),
    "20 MB of blanks": (lambda: page(" \n" * 10_000_000), DONE, "seen words"),
    "marks without a width": (lambda: page("<p>" + "x\u200b\u202e\U000e0041" *
                                           500_000), DONE, "seen words"),
    "accents on one letter": (lambda: page("<p>x" + "\u0301" * 1_000_000),
                              DONE, "seen words"),
    "50,000 dates": (
        lambda: page(head="<!doctype html><html><head>" + "<meta property="
                     "article:published_time content=2020-01-01>" * 50_000 +
                     "<script type=application/ld+json>" + "[" * 500_000 +
                     "</script>"), DONE, "seen words"),
    # tags at random
    **{f"tags at random, {seed}": (f(noise, 100_000, seed, TAGS), DONE,
                                   "seen words") for seed in (1, 2, 3)},
    "letters at random": (f(noise, 300_000, 4, "<>/=\"'&;!-ab \n"), DONE,
                          "seen words"),
    # character sets
    "UTF-8 that says it is UTF-16": (
        lambda: page(head="<!doctype html><meta charset=utf-16>"), DONE,
        "seen words"),
    "UTF-7": (lambda: page("+ADw-script+AD4-", head="<!doctype html><meta "
                           "charset=utf-7>"), DONE, "seen words"),
    "a set that is not read": (
        lambda: page(head="<!doctype html><meta charset=gb18030>") +
        "\u4e2d\u6587".encode("gb18030"), FAILED, "gb18030"),
    "ten sets, one after another": (
        lambda: page("é".encode().decode("latin-1"), head="<!doctype html>" +
                     "".join(f"<meta charset={s}>" for s in (
                         "latin1", "koi8-r", "utf-16", "x-user-defined",
                         "gbk") * 2)), DONE, "seen words"),
    "a set with a name of 1 MB": (
        lambda: page(head="<!doctype html><meta charset='" + "x" * MIB + "'>"),
        DONE, "seen words"),
    "UTF-16 cut in a sign": (lambda: page().decode().encode("utf-16")[:-1],
                             DONE, "seen words"),
    "broken UTF-8": (lambda: page() + b"\xff\xc0\x80\xed\xa0\x80" * 99_999,
                     DONE, "seen words"),
    "zeros in a page": (lambda: page() + bytes(MIB), FAILED, "binary"),
    # no documents
    "a page without words": (lambda: page(before=""), FAILED, "no text"),
    "nothing but a doctype": (lambda: b"<!doctype html>", FAILED, "no text"),
    "cut in a tag": (lambda: page("<p titl"), DONE, "seen words"),
    "a page in an archive": (in_zip, FAILED, "ZIP archive"),
    "a page made by scripts": (
        lambda: b"<!doctype html><title>x</title><div id=root></div>"
                b"<script src=a.js></script>", FAILED, "JavaScript"),
}
