//! One client thread: it uses its keys in every way, and believes only what was acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;

use super::model::{Key, Known, Said, User};
use super::victim::Victims;
use crate::dice::Dice;
use crate::mailbox::Mailbox;
use crate::photon::Photon;
use crate::server::House;

/// Keys of one worker, and addresses of one key: enough to have every state, few enough to look at often.
const KEYS: usize = 12;
const USERS: usize = 4;

pub(super) struct Worker {
    nth: usize,
    dice: Dice,
    mailbox: Mailbox,
    victims: Arc<Victims>,
    keys: Vec<Key>,
    acknowledged: usize,
    named: usize,
}

impl Worker {
    pub(super) fn new(nth: usize, house: &House, dice: Dice, victims: Arc<Victims>) -> Self {
        Self {
            nth,
            dice,
            mailbox: Mailbox::of(house.data()),
            victims,
            keys: Vec::new(),
            acknowledged: 0,
            named: 0,
        }
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Works with one server until it dies.
    pub(super) fn play(&mut self, address: SocketAddr, is_over: impl Fn() -> bool) {
        let mut client = Photon::new(address);
        self.victims.guess(&mut client, self.dice.below(1000));
        // What the kill left open comes first, then a code that was spent before it.
        for at in 0..self.keys.len() {
            if self.keys[at].pins.len() > 1 {
                self.open(&mut client, at);
            }
        }
        if !self.keys.is_empty() {
            let at = self.dice.below(self.keys.len());
            self.replay(&mut client, at);
        }
        while !is_over() && client.get("/healthz").is_ok() {
            self.step(&mut client);
        }
    }

    fn step(&mut self, client: &mut Photon) {
        let full = self.keys.len() >= KEYS;
        if self.keys.is_empty() || (!full && self.dice.below(6) == 0) {
            return self.create(client);
        }
        let at = self.dice.below(self.keys.len());
        match self.dice.below(12) {
            0 | 1 => self.open(client, at),
            2 => self.open_wrong(client, at),
            3 | 4 => self.change(client, at),
            5 | 6 => self.add(client, at),
            7..=9 => self.recover(client, at),
            10 => self.replay(client, at),
            _ => self.remove(client, at),
        }
    }

    fn create(&mut self, client: &mut Photon) {
        let pin = self.dice.word(8);
        if let Ok(answer) = client.create(&pin)
            && answer.status == 201
        {
            self.acknowledged += 1;
            self.keys.push(Key::new(answer.field("id").unwrap(), pin));
        }
    }

    fn open(&mut self, client: &mut Photon, at: usize) {
        let key = &mut self.keys[at];
        let pin = self.dice.pick(&key.pins).clone();
        let answer = client.open(&key.id, &pin);
        if key.judge(&pin, &answer) == Said::Right {
            self.acknowledged += 1;
            key.see(&answer.unwrap());
        }
    }

    fn open_wrong(&mut self, client: &mut Photon, at: usize) {
        let key = &mut self.keys[at];
        if key.tries < 4 {
            let answer = client.open(&key.id, "wrong");
            if key.judge("wrong", &answer) == Said::Wrong {
                self.acknowledged += 1;
            }
        }
    }

    fn change(&mut self, client: &mut Photon, at: usize) {
        let key = &mut self.keys[at];
        let Some(pin) = key.pin() else { return };
        let new = self.dice.word(8);
        let answer = client.change(&key.id, &pin, &new);
        match key.judge(&pin, &answer) {
            Said::Right => {
                self.acknowledged += 1;
                key.pins = vec![new];
            }
            Said::Nothing => key.pins.push(new),
            Said::Wrong | Said::Limited => return,
        }
        // A change stops every running reset.
        key.users.iter_mut().for_each(|user| user.lock = None);
    }

    /// Registers a new address, or one again whose state is not known.
    fn add(&mut self, client: &mut Photon, at: usize) {
        let key = &mut self.keys[at];
        let Some(pin) = key.pin() else { return };
        let unsure = |user: &User| user.verified == Known::Unknown && !user.idle;
        let nth = match key.users.iter().position(unsure) {
            Some(nth) => nth,
            None if key.users.len() < USERS => {
                self.named += 1;
                let address = format!("user{}.{}@example.org", self.nth, self.named);
                key.users.push(User::new(address));
                key.users.len() - 1
            }
            None => self.dice.below(key.users.len()),
        };
        if key.users[nth].idle {
            return;
        }
        let address = key.users[nth].address.clone();
        let answer = client.add_user(&key.id, &pin, &address);
        let said = key.judge(&pin, &answer);
        let user = &mut key.users[nth];
        if said != Said::Right {
            user.perhaps += 1;
            user.idle = true;
            return;
        }
        self.acknowledged += 1;
        if answer.unwrap().status == 409 {
            assert_ne!(user.verified, Known::No, "{address}: verified by nobody");
            user.verified = Known::Yes;
            return;
        }
        assert_ne!(user.verified, Known::Yes, "{address}: no longer verified");
        user.verified = Known::No;
        user.asked += 1;
        if let Some(code) = outstanding(&mut self.mailbox, user) {
            self.verify(client, at, nth, &code);
        }
    }

    fn verify(&mut self, client: &mut Photon, at: usize, nth: usize, code: &str) {
        let key = &mut self.keys[at];
        let user = &mut key.users[nth];
        user.tries += 1;
        match client.verify(&key.id, &user.address, code) {
            Ok(answer) if answer.status == 200 => {
                self.acknowledged += 1;
                user.verified = Known::Yes;
                user.spent = Some(code.to_owned());
                user.tries = 0;
            }
            Ok(answer) => assert_eq!(answer.status, 503, "{}: a right code", user.address),
            Err(_) => user.verified = Known::Unknown,
        }
    }

    /// Asks for a reset and confirms it: a lock that is known must not go back.
    fn recover(&mut self, client: &mut Photon, at: usize) {
        let key = &mut self.keys[at];
        let ready = |user: &&mut User| user.verified == Known::Yes && !user.idle;
        let Some(user) = key.users.iter_mut().find(ready) else {
            return;
        };
        match client.ask_reset(&key.id, &user.address) {
            Ok(answer) if answer.status == 200 => {
                self.acknowledged += 1;
                user.asked += 1;
            }
            Ok(answer) if answer.status == 429 && user.tries >= 10 => {
                user.idle = true;
                return;
            }
            Ok(answer) if answer.status != 503 => {
                panic!("{}: asking is answered {}", user.address, answer.status)
            }
            _ => {
                user.perhaps += 1;
                user.idle = true;
                return;
            }
        }
        let Some(code) = outstanding(&mut self.mailbox, user) else {
            return;
        };
        user.tries += 1;
        let Ok(answer) = client.reset(&key.id, &user.address, &code, "never set") else {
            return;
        };
        if answer.status == 503 {
            return;
        }
        assert_eq!(answer.status, 423, "{}: nothing opens early", user.address);
        self.acknowledged += 1;
        user.spent = Some(code);
        user.tries = 0;
        let until = answer.field("delay").unwrap();
        // It may end later, when the letter about it had to be sent again, but never earlier.
        let known = user.lock.replace(until.clone()).unwrap_or_default();
        assert!(known <= until, "{}: the lock went back", user.address);
    }

    /// A code that was spent stays spent.
    fn replay(&mut self, client: &mut Photon, at: usize) {
        let key = &mut self.keys[at];
        for user in key.users.iter_mut().filter(|user| !user.idle) {
            let Some(code) = &user.spent else { continue };
            // They count when another code is outstanding that this client never got.
            user.tries += 2;
            let verify = client.verify(&key.id, &user.address, code);
            let reset = client.reset(&key.id, &user.address, code, "never set");
            for answer in [verify, reset].into_iter().flatten() {
                let refused = [404, 429, 503].contains(&answer.status);
                assert!(refused, "{}: taken twice: {answer:?}", user.address);
            }
        }
    }

    fn remove(&mut self, client: &mut Photon, at: usize) {
        let key = &mut self.keys[at];
        let Some(pin) = key.pin() else { return };
        let found = key.users.iter().rposition(|user| !user.idle);
        let Some(nth) = found.filter(|_| self.dice.below(4) == 0) else {
            return;
        };
        let answer = client.remove_user(&key.id, &pin, &key.users[nth].address);
        if matches!(&answer, Ok(answer) if answer.status == 404) {
            panic!("{}: acknowledged, and not there", key.users[nth].address);
        }
        match key.judge(&pin, &answer) {
            Said::Right => {
                self.acknowledged += 1;
                let user = &mut key.users[nth];
                user.verified = Known::No;
                user.lock = None;
                user.spent = None;
                // The address is free again; what was sent to it was sent.
                user.idle = true;
            }
            _ => key.users[nth].idle = true,
        }
    }

    /// Every acknowledged request for a code has its letter, and no letter came twice under two ids.
    pub(super) fn check_letters(&mut self) {
        for user in self.keys.iter().flat_map(|key| &key.users) {
            let found = self.mailbox.codes(&user.address).len();
            assert!(
                (user.asked..=user.asked + user.perhaps).contains(&found),
                "{}: {found} letters for {} requests and perhaps {} more\n{}",
                user.address,
                user.asked,
                user.perhaps,
                self.mailbox.raw(&user.address)
            );
        }
    }

    /// Looks at every key again.
    pub(super) fn check_keys(&mut self, address: SocketAddr) {
        let mut client = Photon::new(address);
        for at in 0..self.keys.len() {
            self.replay(&mut client, at);
            self.open(&mut client, at);
        }
    }

    /// When all windows are over, every key opens with a PIN that it may have.
    pub(super) fn open_all(&mut self, address: SocketAddr) {
        let mut client = Photon::new(address);
        for key in &mut self.keys {
            key.tries = 0;
            let mut said = Said::Wrong;
            while said == Said::Wrong {
                let pin = key.pins[0].clone();
                let answer = client.open(&key.id, &pin);
                said = key.judge(&pin, &answer);
                if said == Said::Right {
                    key.see(&answer.unwrap());
                }
            }
            assert_eq!(said, Said::Right, "{}: the key opens", key.id);
        }
    }
}

/// The code that was just sent. Without it (a letter of a killed process goes first) the address is left alone.
fn outstanding(mailbox: &mut Mailbox, user: &mut User) -> Option<String> {
    let codes = mailbox.codes(&user.address);
    if codes.len() == user.asked {
        return codes.last().map(|code| code.code.clone());
    }
    user.idle = true;
    None
}
