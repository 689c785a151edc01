"""URLs that must be refused, and some that must not: pure lists."""

import ipaddress

# What IANA's registries of special purposes list, first and last address each.
SPECIAL4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"]
SPECIAL6 = [
    "::1/128", "::/128", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64",
    "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128",
    "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32",
    "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28",
    "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"]
# Twenty that somebody would like to reach.
WANTED = ["127.0.0.1", "127.0.0.2", "127.1.2.3", "10.0.0.1", "10.255.0.1",
          "172.16.0.1", "172.31.255.1", "192.168.0.1", "192.168.1.1",
          "169.254.169.254", "169.254.170.2", "169.254.169.253", "100.64.0.1",
          "100.100.100.200", "168.63.129.16", "192.0.0.192", "0.0.0.0",
          "198.18.0.1", "224.0.0.1", "255.255.255.255"]


def wide(text):
    return "".join(chr(ord(c) + 0xfee0) if c.isdigit() else c for c in text)


def circled(text):
    return "".join("⓪①②③④⑤⑥⑦⑧⑨"[int(c)] if c.isdigit() else c for c in text)


def spellings(address):
    """One address, 22 ways."""
    a, b, c, d = parts = [int(x) for x in address.split(".")]
    whole = (a << 24) | (b << 16) | (c << 8) | d
    hexa = f"{whole:08x}"
    high, low = hexa[:4], hexa[4:]
    yield address
    yield str(whole)
    yield f"0x{whole:x}"
    yield f"0{whole:o}"
    yield ".".join(f"0x{x:x}" for x in parts)
    yield ".".join(f"0{x:o}" for x in parts)
    yield ".".join(f"0x{x:08x}" for x in parts)
    yield f"{a}.{b}.{c << 8 | d}"
    yield f"0x{a:x}.{b << 16 | c << 8 | d}"
    yield f"0{a:o}.{b}.0x{c:x}.{d}"
    yield "".join(f"%{ord(x):02x}" for x in address)
    yield address.replace(".", "%2e")
    yield wide(address)
    yield circled(address)
    yield address.replace(".", "。")
    yield address + "."
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{high}:{low}]"
    yield f"[::{address}]"
    yield f"[64:ff9b::{address}]"
    yield f"[2002:{high}:{low}::1]"
    yield f"[2001:0:{high}:{low}::1]"
    yield f"[2a01::5efe:{address}]"
    yield f"a-{address.replace('.', '-')}.test"


def edges(nets):
    for net in nets:
        net = ipaddress.ip_network(net)
        yield str(net[0])
        yield str(net[-1])


def forbidden():
    """Each must be refused; none holds a `$`, for nginx's sake."""
    urls = [f"http://{host}/" for address in WANTED
            for host in spellings(address)]
    urls += [f"http://{a}/" for a in edges(SPECIAL4)]
    urls += [f"http://[{a}]/" for a in edges(SPECIAL6)]
    urls += [f"http://x-{ipaddress.ip_address(a).packed.hex()}.test/"
             for a in edges(SPECIAL6)]
    urls += [f"http://{name}/" for name in (
        "localhost", "localhost.", "LOCALHOST", "a.localhost", "a.localhost.",
        "ⓛocalhost", "metadata.google.internal", "instance-data",
        "mixed.test", "mixed6.test", "many.test", "chain.test", "chain.test.",
        "a-10-0-0-1.test", "nothing.example", "empty.test")]
    urls += [f"{scheme}//10.0.0.1/x" for scheme in (
        "file:", "gopher:", "dict:", "ftp:", "ftps:", "ldap:", "tftp:", "smb:",
        "telnet:", "imap:", "pop3:", "smtp:", "rtsp:", "scp:", "sftp:", "mqtt:",
        "jar:http:", "unix:", "ws:", "wss:")]
    urls += ["file:///etc/passwd", "file:/etc/passwd", "data:text/html,x",
             "javascript:alert(1)", "about:blank", "netdoc:///etc/passwd",
             "url:file:///etc/passwd", "view-source:http://10.0.0.1/"]
    urls += [f"http://allowed.test:{port}/page" for port in (
        1, 21, 22, 23, 25, 79, 81, 111, 442, 444, 2375, 3306, 5432, 6379, 8000,
        8080, 8443, 9200, 11211, 27017, 65535)]
    urls += ["http://allowed.test@10.0.0.1/", "http://allowed.test:80@10.0.0.1",
             "http://10.0.0.1\\@allowed.test/", "http://10.0.0.1#@allowed.test/",
             "http://10.0.0.1?@allowed.test/", "http://u:p@allowed.test/page",
             "http:10.0.0.1", "http:/10.0.0.1", "http:\\\\10.0.0.1\\",
             "http:///10.0.0.1/", "http://10.0.0.1:80/", "http://10.0.0.1:443/",
             "https://10.0.0.1/", "https://169.254.169.254/",
             "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/",
             "http://[::1%25lo]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/",
             "http://[fd00:ec2::254]/latest/meta-data/",
             "http://169.254.169.254/latest/meta-data/", "http://0/",
             "http://0x0/", "http://00/", "http://1/", "http://127.1/",
             "http://allowed.test:65536/", "http://allowed.test:-80/",
             "http://allowed test/", "http://[::1/", "http://", "//", "",
             "http://allowed.test%2f@10.0.0.1/", "http://10.0.0.1%2f.test/",
             "http://10.0.0.1%00.allowed.test/"]
    return list(dict.fromkeys(urls))


def followable(url):
    """Can it stand in a Location so that it means the same?"""
    return "//" in url[:12] and url != "//" and url.isprintable()


def allowed():
    """Forty that pass, spelled oddly too; each ends at /page."""
    hosts = ["45.33.0.1", "45.33.1", "0x2d210001", "757137409", "05510200001",
             "0x2d.33.0.1", "45.33.0.1.", "%34%35.33.0.1", wide("45.33.0.1"),
             circled("45.33.0.1"), "45。33。0。1", "[2a01:7e00::1]",
             "[2A01:7E00:0:0::0:1]", "[2a01:7e00::0.0.0.1]", "allowed.test",
             "ALLOWED.test", "allowed.test.", "allowed%2etest",
             "ａllowed.test", "allowed-bücher.test", "www.bücher.test",
             "www.xn--bcher-kva.test", "dual.test", "goodchain.test",
             "a-45-33-0-1.test", "a-8-8-4-4.test", "8.8.4.4", "1.1.1.1",
             "x-2a017e00000000000000000000000001.test"]
    urls = [f"http://{host}/page" for host in hosts]
    urls += ["http://allowed.test:80/page", "http://allowed.test:080/page",
             "http://allowed.test:/page", "http:allowed.test/page",
             "http:\\\\allowed.test\\page", "http:////allowed.test/page",
             "  http://allowed.test/page\n", "ht\ntp://allowed.test/page",
             "http://allowed.test/x/../page", "http://allowed.test/%2e/page",
             "http://allowed.test/page#fragment", "HTTP://allowed.test/page",
             "http://@allowed.test/page", "https://allowed.test/page",
             "https://allowed.test:443/page"]
    return urls
