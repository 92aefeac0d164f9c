package api

import (
	"net/http"
	"net/netip"
	"strings"
)

// peer is the address of who holds the connection.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// trusted tells whether the peer is a proxy whose X-Forwarded headers count:
// one of Config.TrustedProxies, or a program on this machine.
func (a *API) trusted(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	for _, p := range a.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// client is the address of who asks: the peer, or behind trusted proxies the
// last address that one of them saw.
func (a *API) client(r *http.Request) netip.Addr {
	addr := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && a.trusted(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

// secure tells whether the client speaks https, to us or to a trusted proxy.
func (a *API) secure(r *http.Request) bool {
	return r.TLS != nil || a.trusted(peer(r)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// local tells whether a program on this machine asks for itself: over the
// loopback interface, not through a proxy, and by a name of this machine (a
// browser that was lured here would show another).
func local(r *http.Request) bool {
	for _, h := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	host := r.Host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.Trim(host, "[]")
	named, err := netip.ParseAddr(host)
	return peer(r).IsLoopback() && (host == "localhost" || err == nil && named.IsLoopback())
}
