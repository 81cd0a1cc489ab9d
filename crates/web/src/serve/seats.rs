//! The seats of a listener: so many connections in all, and so many from one network, so that one caller cannot hold
//! all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All seats of one listener.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    /// Seats that one network may hold; 0: as many as there are.
    per_network: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
    refused: AtomicU64,
}

/// A seat that nobody sits on yet.
pub(super) struct FreeSeat {
    _permit: OwnedSemaphorePermit,
}

/// A connection's seat. It becomes free when the connection *and* its requests have ended. Otherwise a client could
/// have any number of requests running by disconnecting at once after each.
pub(super) struct Seat {
    /// Whose count it is in, and that network; `None`: it is in nobody's count.
    counted: Option<(Arc<Seats>, IpAddr)>,
    _free: FreeSeat,
}

impl Seats {
    pub(super) fn new(all: usize, per_network: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(all.clamp(1, Semaphore::MAX_PERMITS))),
            per_network,
            taken: Mutex::default(),
            refused: AtomicU64::new(0),
        })
    }

    /// Waits until a seat is free. Returns `None` when there will never be one again.
    pub(super) async fn free(&self) -> Option<FreeSeat> {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        permit.ok().map(|permit| FreeSeat { _permit: permit })
    }

    /// Gives a connection from `peer` its seat. Returns `None` if the network of `peer` holds as many as it may.
    pub(super) fn take(self: &Arc<Self>, free: FreeSeat, peer: IpAddr) -> Option<Seat> {
        if self.per_network == 0 {
            return Some(self.take_uncounted(free));
        }
        let network = network(peer);
        let mut taken = self.lock();
        let held = taken.entry(network).or_default();
        if *held >= self.per_network {
            drop(taken);
            self.log_refused(network);
            return None;
        }
        *held += 1;
        Some(Seat {
            counted: Some((Arc::clone(self), network)),
            _free: free,
        })
    }

    /// A seat for a trusted proxy, whose connections are those of many callers.
    #[expect(clippy::unused_self, reason = "it is a seat of these")]
    pub(super) fn take_uncounted(&self, free: FreeSeat) -> Seat {
        Seat {
            counted: None,
            _free: free,
        }
    }

    /// Logs the first refusal, the second, the fourth, and so on: a flood of connections must not be a flood of lines.
    fn log_refused(&self, network: IpAddr) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused.is_power_of_two() {
            tracing::warn!(
                code = "web.network_full",
                %network,
                refused,
                "A connection was closed at once, because its network holds as many connections as one network may. \
                 If this is a proxy, name it in [server] trusted_proxies."
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((seats, network)) = &self.counted else {
            return;
        };
        let mut taken = seats.lock();
        if let Some(held) = taken.get_mut(network) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                taken.remove(network);
            }
        }
    }
}

/// An IPv4 address, or the first 48 bits of an IPv6 address: whole networks of that size are given away for nothing.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(seats: &Seats) -> FreeSeat {
        FreeSeat {
            _permit: Arc::clone(&seats.free).try_acquire_owned().unwrap(),
        }
    }

    fn take(seats: &Arc<Seats>, peer: &str) -> Option<Seat> {
        seats.take(free(seats), peer.parse().unwrap())
    }

    #[test]
    fn one_network_cannot_hold_all_seats() {
        let seats = Seats::new(10, 2);
        let first = take(&seats, "203.0.113.9");
        let second = take(&seats, "203.0.113.9");
        assert!(first.is_some() && second.is_some());
        assert!(take(&seats, "203.0.113.9").is_none());
        assert!(
            take(&seats, "::ffff:203.0.113.9").is_none(),
            "the same address"
        );
        assert!(take(&seats, "203.0.113.10").is_some());
        drop(first);
        assert!(take(&seats, "203.0.113.9").is_some());
    }

    #[test]
    fn a_large_network_of_ipv6_is_one_network() {
        let seats = Seats::new(10, 1);
        let _held = take(&seats, "2001:db8:1:1::1").unwrap();
        assert!(take(&seats, "2001:db8:1:ffff::1").is_none());
        assert!(take(&seats, "2001:db8:2::1").is_some());
    }

    #[test]
    fn a_refused_connection_leaves_its_seat_to_others() {
        let seats = Seats::new(2, 1);
        let _held = take(&seats, "203.0.113.9").unwrap();
        for _ in 0..5 {
            assert!(take(&seats, "203.0.113.9").is_none());
        }
        assert_eq!(seats.free.available_permits(), 1);
        assert_eq!(seats.refused.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn a_proxy_and_a_limit_of_zero_are_not_counted() {
        let seats = Seats::new(4, 1);
        let _proxied = [
            seats.take_uncounted(free(&seats)),
            seats.take_uncounted(free(&seats)),
        ];
        let off = Seats::new(4, 0);
        let _all: Vec<Seat> = (0..4).map(|_| take(&off, "203.0.113.9").unwrap()).collect();
        assert_eq!(off.free.available_permits(), 0);
    }

    #[test]
    fn nothing_is_remembered_of_networks_that_left() {
        let seats = Seats::new(2, 2);
        drop(take(&seats, "203.0.113.9"));
        assert!(seats.lock().is_empty());
        assert_eq!(seats.free.available_permits(), 2);
    }
}
