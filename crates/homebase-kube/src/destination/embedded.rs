//! Finds the IPv4 addresses that an IPv6 address stands for: a translator or a tunnel on the way connects to them. It
//! judges none.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Every IPv4 address that is embedded in an IPv6 address by one of the standards. Where the place depends on how a
/// network is set up, all places are read.
///
/// A NAT64 prefix of an operator's own address space (RFC 6052, section 2.2) cannot be told from any other prefix.
pub(super) fn in_address(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let (segments, octets) = (address.segments(), address.octets());
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| octets[place]));
    let last = at([12, 13, 14, 15]);
    let none = [None; 4];
    let found = match segments {
        // Unspecified and loopback, which are of IPv6 itself.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => none,
        // IPv4-compatible, `::a.b.c.d` (RFC 4291, section 2.5.5.1); IPv4-mapped, `::ffff:a.b.c.d` (section 2.5.5.2);
        // IPv4-translated, `::ffff:0:a.b.c.d` (RFC 2765, section 2.1); NAT64, `64:ff9b::a.b.c.d` (RFC 6052, section 2.1).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            [Some(last), None, None, None]
        }
        // NAT64 within a network, 64:ff9b:1::/48 (RFC 8215): the length of the prefix is up to the network (RFC 6052,
        // section 2.2). Zeros are where a longer prefix goes on.
        [0x64, 0xff9b, 1, ..] => [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]]
            .map(|places| Some(at(places)).filter(|inner| inner.octets()[0] != 0)),
        // 6to4, 2002:aabb:ccdd::/48 (RFC 3056, section 2).
        [0x2002, ..] => [Some(at([2, 3, 4, 5])), None, None, None],
        // Teredo, 2001::/32: the server, and the client with all bits inverted (RFC 4380, section 4).
        [0x2001, 0, ..] => [Some(at([4, 5, 6, 7])), Some(Ipv4Addr::from(!u32::from(last))), None, None],
        _ => none,
    };
    // ISATAP: an interface ID of `0:5efe:a.b.c.d`, or `200:5efe` for a global address (RFC 5214, section 6.1), under any
    // prefix.
    let is_isatap = matches!(segments, [_, _, _, _, 0 | 0x200, 0x5efe, ..]);
    found.into_iter().flatten().chain(is_isatap.then_some(last))
}
