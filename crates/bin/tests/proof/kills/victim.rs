//! Keys at which everybody guesses: never more than ten guesses are judged, however often the server dies.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::photon::Photon;

#[derive(Default)]
pub(super) struct Victims(Mutex<Vec<Arc<Victim>>>);

struct Victim {
    id: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    judged: u32,
    /// Named by the first refusal.
    delay: Option<String>,
}

impl Victims {
    pub(super) fn add(&self, id: &str) {
        self.0.lock().unwrap().push(Arc::new(Victim {
            id: id.to_owned(),
            state: Mutex::default(),
        }));
    }

    fn all(&self) -> Vec<Arc<Victim>> {
        self.0.lock().unwrap().clone()
    }

    /// One guess at the newest victim, and one at an older one.
    pub(super) fn guess(&self, client: &mut Photon, chance: usize) {
        let all = self.all();
        if let Some(newest) = all.last() {
            newest.guess(client);
            all[chance % all.len()].guess(client);
        }
    }

    /// Guesses until each victim refuses.
    pub(super) fn use_up(&self, address: SocketAddr) {
        let mut client = Photon::new(address);
        for victim in self.all() {
            while victim.state.lock().unwrap().delay.is_none() {
                victim.guess(&mut client);
            }
            victim.guess(&mut client);
            let right = client.open(&victim.id, "right").unwrap();
            assert_eq!(right.status, 429, "also for the right PIN");
        }
    }

    /// When the windows are over, the right PIN opens.
    pub(super) fn open_all(&self, address: SocketAddr) {
        let mut client = Photon::new(address);
        for victim in self.all() {
            assert_eq!(client.open(&victim.id, "right").unwrap().status, 200);
        }
    }
}

impl Victim {
    fn guess(&self, client: &mut Photon) {
        let before = self.state.lock().unwrap().delay.clone();
        let Ok(answer) = client.open(&self.id, "wrong") else {
            return;
        };
        let mut state = self.state.lock().unwrap();
        match answer.status {
            404 => {
                assert_eq!(before, None, "{}: judged after it was locked", self.id);
                state.judged += 1;
                assert!(state.judged <= 10, "{}: an eleventh guess", self.id);
            }
            429 => {
                let delay = answer.field("delay").unwrap();
                let known = state.delay.get_or_insert_with(|| delay.clone());
                assert_eq!(*known, delay, "{}: the delay moved", self.id);
            }
            503 => {}
            other => panic!("{}: a guess was answered {other}", self.id),
        }
    }
}
