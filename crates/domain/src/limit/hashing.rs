//! The bounded pool for work that costs a core: password hashes and big-number proofs.
//!
//! As many threads as cores, each with its own block of hash memory; unbounded hashing would lose more
//! than half of the throughput to page faults and cache misses. Each kind of work has its own short
//! queue and the threads serve the queues in turn, so a storm of PINs leaves logins alive. A caller
//! asks to be admitted *before* a guess is counted; a full queue turns it away at no cost to anybody.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crypto::password::Memory;
use tokio::sync::oneshot;

use crate::core::error::Error;

/// Which queue: each kind of work has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashQueue {
    Pin,
    Password,
    Handshake,
}

const QUEUES: usize = 3;

type Work = Box<dyn FnOnce(&mut Memory) + Send>;

/// The pool. Dropping it lets the threads finish what is queued and end.
pub struct HashPool {
    shared: Arc<Shared>,
    /// Callers that may be admitted to each queue.
    longest: usize,
}

struct Shared {
    queues: Mutex<Queues>,
    ready: Condvar,
}

#[derive(Default)]
struct Queues {
    waiting: [VecDeque<Work>; QUEUES],
    admitted: [usize; QUEUES],
    next: usize,
    closed: bool,
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        yield_to_others();
        let mut memory = Memory::default();
        loop {
            let mut queues = self.queues();
            let work = loop {
                if let Some(work) = queues.take_in_turn() {
                    break work;
                }
                if queues.closed {
                    return;
                }
                queues = self
                    .ready
                    .wait(queues)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            drop(queues);
            // A panic in one piece of work must not cost the pool a thread.
            let run = std::panic::AssertUnwindSafe(|| work(&mut memory));
            if std::panic::catch_unwind(run).is_err() {
                tracing::error!(code = "hash_panicked", "a piece of hashing work panicked");
                memory = Memory::default();
            }
        }
    }
}

/// Lets the threads that answer cheap calls go first: a hash takes some ten milliseconds, and on a machine whose
/// cores all hash a call would wait for the end of a time slice. The pool still gets all that is left.
fn yield_to_others() {
    // On Linux the niceness is the thread's own; elsewhere it would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(HASHING_NICENESS) {
        tracing::debug!(%error, "hashing runs with the priority of all else");
    }
}

#[cfg(target_os = "linux")]
const HASHING_NICENESS: i32 = 15;

impl Queues {
    fn take_in_turn(&mut self) -> Option<Work> {
        for step in 0..QUEUES {
            let queue = (self.next + step) % QUEUES;
            if let Some(work) = self.waiting[queue].pop_front() {
                self.next = (queue + 1) % QUEUES;
                return Some(work);
            }
        }
        None
    }
}

impl HashPool {
    /// `threads` workers and at most `queue` admitted callers in each.
    pub fn new(threads: usize, queue: usize) -> Self {
        let shared = Arc::new(Shared {
            queues: Mutex::default(),
            ready: Condvar::new(),
        });
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || shared.work())
                .expect("the operating system gives a thread at start-up");
        }
        Self {
            shared,
            longest: queue.max(1),
        }
    }

    /// A place in `queue`, or `Error::Busy` when it is full.
    pub fn admit(&self, queue: HashQueue) -> Result<Ticket, Error> {
        let mut queues = self.shared.queues();
        if queues.admitted[queue as usize] >= self.longest {
            return Err(Error::Busy { seconds: 1 });
        }
        queues.admitted[queue as usize] += 1;
        drop(queues);
        Ok(Ticket {
            place: Arc::new(QueuePlace {
                shared: Arc::clone(&self.shared),
                queue,
            }),
        })
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.shared.queues().closed = true;
        self.shared.ready.notify_all();
    }
}

/// An admitted caller. May run several pieces of work, one after another.
pub struct Ticket {
    place: Arc<QueuePlace>,
}

/// One admitted place. Work in the queue keeps it, so a caller who hangs up frees nothing early.
struct QueuePlace {
    shared: Arc<Shared>,
    queue: HashQueue,
}

impl Ticket {
    /// Runs `work` on a pool thread and waits for its result.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = oneshot::channel();
        let place = Arc::clone(&self.place);
        let work: Work = Box::new(move |memory| {
            // The caller may have gone away; the work was still done and nobody needs it.
            let result = work(memory);
            drop(place);
            let _gone = sender.send(result).is_err();
        });
        let QueuePlace { shared, queue } = self.place.as_ref();
        shared.queues().waiting[*queue as usize].push_back(work);
        shared.ready.notify_one();
        receiver
            .await
            .map_err(|_| Error::bug("a piece of hashing work gave no result"))
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        self.shared.queues().admitted[self.queue as usize] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_turns_away_and_a_free_one_admits_again() {
        let pool = HashPool::new(1, 2);
        let first = pool.admit(HashQueue::Pin).unwrap();
        let second = pool.admit(HashQueue::Pin).unwrap();
        assert!(matches!(
            pool.admit(HashQueue::Pin),
            Err(Error::Busy { .. })
        ));
        assert!(pool.admit(HashQueue::Password).is_ok());
        assert_eq!(first.run(|_| 7).await.unwrap(), 7);
        drop(first);
        assert!(pool.admit(HashQueue::Pin).is_ok());
        assert_eq!(second.run(|_| 8).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn queues_are_served_in_turn() {
        let pool = HashPool::new(1, 100);
        let order = Arc::new(Mutex::new(Vec::new()));
        let (started, begun) = oneshot::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let holder = pool.admit(HashQueue::Handshake).unwrap();
        let held = tokio::spawn(async move {
            holder
                .run(move |_| {
                    started.send(()).unwrap();
                    released.recv().unwrap();
                })
                .await
        });
        begun.await.unwrap();
        // The only thread is busy, so what is queued now stays queued.
        let mut waiting = Vec::new();
        for (queue, name) in [
            (HashQueue::Pin, "pin"),
            (HashQueue::Pin, "pin"),
            (HashQueue::Pin, "pin"),
            (HashQueue::Password, "password"),
        ] {
            let ticket = pool.admit(queue).unwrap();
            let order = Arc::clone(&order);
            waiting.push(tokio::spawn(async move {
                ticket.run(move |_| order.lock().unwrap().push(name)).await
            }));
        }
        while pool
            .shared
            .queues()
            .waiting
            .iter()
            .map(VecDeque::len)
            .sum::<usize>()
            < 4
        {
            tokio::task::yield_now().await;
        }
        release.send(()).unwrap();
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        held.await.unwrap().unwrap();
        let order = order.lock().unwrap();
        let place = order.iter().position(|name| *name == "password").unwrap();
        assert!(
            place <= 1,
            "a login waits for one PIN at the most, not for all"
        );
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_pool_lives_on() {
        let pool = HashPool::new(1, 4);
        let ticket = pool.admit(HashQueue::Pin).unwrap();
        assert!(matches!(
            ticket.run(|_| panic!("boom")).await,
            Err(Error::Bug(_))
        ));
        assert_eq!(ticket.run(|_| 1).await.unwrap(), 1);
    }

    /// Serves what waits until nothing does. Returns the queues in the order in which they were served.
    fn served(queues: &mut Queues, order: &Arc<Mutex<Vec<usize>>>) -> Vec<usize> {
        let mut memory = Memory::default();
        while let Some(work) = queues.take_in_turn() {
            work(&mut memory);
        }
        std::mem::take(&mut order.lock().unwrap())
    }

    fn wait(queues: &mut Queues, queue: usize, order: &Arc<Mutex<Vec<usize>>>) {
        let order = Arc::clone(order);
        let work = move |_: &mut Memory| order.lock().unwrap().push(queue);
        queues.waiting[queue].push_back(Box::new(work));
    }

    #[test]
    fn every_queue_gets_its_turn_whatever_the_others_hold() {
        let (mut queues, order) = (Queues::default(), Arc::default());
        for queue in [0, 0, 0, 0, 2, 1, 2] {
            wait(&mut queues, queue, &order);
        }
        assert_eq!(served(&mut queues, &order), [0, 1, 2, 0, 2, 0, 0]);
        // The turn goes on where it was.
        for queue in [0, 1] {
            wait(&mut queues, queue, &order);
        }
        assert_eq!(served(&mut queues, &order), [1, 0]);
        assert!(queues.take_in_turn().is_none());
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_keeps_its_place_until_its_work_is_done() {
        let pool = HashPool::new(1, 1);
        let (started, begun) = oneshot::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let ticket = pool.admit(HashQueue::Pin).unwrap();
        let caller = tokio::spawn(async move {
            let work = move |_: &mut Memory| {
                started.send(()).unwrap();
                released.recv().unwrap();
            };
            ticket.run(work).await
        });
        begun.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert!(matches!(
            pool.admit(HashQueue::Pin),
            Err(Error::Busy { seconds: 1 })
        ));
        release.send(()).unwrap();
        // The next piece of work runs on the only thread, so the first one is done.
        let next = pool.admit(HashQueue::Password).unwrap();
        next.run(|_| ()).await.unwrap();
        assert!(pool.admit(HashQueue::Pin).is_ok());
    }

    #[tokio::test]
    async fn a_pool_has_a_thread_and_a_place_at_least() {
        let pool = HashPool::new(0, 0);
        let ticket = pool.admit(HashQueue::Handshake).unwrap();
        assert!(pool.admit(HashQueue::Handshake).is_err());
        assert_eq!(ticket.run(|_| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_ticket_runs_several_pieces_of_work_one_after_another() {
        let pool = HashPool::new(2, 1);
        let ticket = pool.admit(HashQueue::Pin).unwrap();
        for number in 0..3 {
            assert_eq!(ticket.run(move |_| number).await.unwrap(), number);
        }
        drop(ticket);
        let ticket = pool.admit(HashQueue::Pin);
        assert!(ticket.is_ok(), "it held one place only");
    }
}
