# Varnish in front of the site, so that it absorbs whatever may be kept: what the site says of each
# answer in Cache-Control is all that it goes by. Tried with Varnish 7.1 (make try-proxies),
# started by
#     varnishd -f varnish.vcl -p http_gzip_support=off
# since the site's answers are compressed already. Give the site TRUSTED_PROXIES=1.

vcl 4.1;

import std;

backend site {
    .host = "127.0.0.1";
    .port = "5000";
    .probe = { .url = "/health"; .interval = 2s; .window = 3; .threshold = 2; }
}

sub vcl_recv {
    # The site believes what it is told here, so nothing of it may be a client's; its server takes an
    # underscore for a hyphen.
    unset req.http.X_Forwarded_For;
    unset req.http.X_Forwarded-For;
    unset req.http.X-Forwarded_For;
    unset req.http.X_Forwarded_Proto;
    unset req.http.X_Forwarded-Proto;
    unset req.http.X-Forwarded_Proto;
    set req.http.X-Forwarded-For = client.ip;
    # Varnish has no TLS. What ends it before Varnish, as hitch does, should tell by the PROXY protocol
    # who came and to which port (varnishd -a 127.0.0.1:8443,PROXY): if it spoke HTTP, it would be
    # taken for the client. Links depend on none of that where the site has a SITE_URL.
    if (std.port(server.ip) == 443) {
        set req.http.X-Forwarded-Proto = "https";
    } else {
        set req.http.X-Forwarded-Proto = "http";
    }
    # Nothing depends on cookies, and of encodings there are few. With q=0 one is refused.
    unset req.http.Cookie;
    if (req.http.Accept-Encoding ~ "(?i)\bbr\b(?!\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$))") {
        set req.http.Accept-Encoding = "br";
    } else if (req.http.Accept-Encoding ~ "(?i)\bzstd\b(?!\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$))") {
        set req.http.Accept-Encoding = "zstd";
    } else if (req.http.Accept-Encoding ~ "(?i)\bgzip\b(?!\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$))") {
        set req.http.Accept-Encoding = "gzip";
    } else {
        unset req.http.Accept-Encoding;
    }
    # An old answer serves while a new one is fetched, and for days while the site is gone.
    if (std.healthy(req.backend_hint)) {
        set req.grace = 10m;
    }
}

sub vcl_hash {
    # Beside the host and the address, which Varnish adds: links are with http or with https.
    hash_data(req.http.X-Forwarded-Proto);
}

sub vcl_backend_response {
    # By itself Varnish keeps no answer of status 308 or 400.
    if (beresp.ttl <= 0s && beresp.http.Cache-Control ~ "s-maxage=") {
        set beresp.ttl = std.duration(
            regsub(beresp.http.Cache-Control, ".*s-maxage=([0-9]+).*", "\1s"), 0s);
    }
    if (beresp.ttl > 0s && beresp.status == 200) {
        set beresp.grace = 3d;
        # It is asked for with its tag then, and comes back without a body.
        set beresp.keep = 1d;
    }
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);
    }
    # What remains to one client is nothing to the next one.
    if (beresp.ttl > 0s) {
        unset beresp.http.RateLimit;
        unset beresp.http.RateLimit-Policy;
    }
}

sub vcl_deliver {
    set resp.http.X-Cache = "MISS";
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    }
}
