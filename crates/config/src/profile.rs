//! The profile surface's section, and how its switches become numbers of the domain.

#![expect(
    clippy::struct_field_names,
    reason = "the fields are the names of the configuration, which say their unit"
)]

use std::time::Duration;

use domain::person::policy::{Offer, PersonPolicy, StepsNeeded};
use domain::person::process::ProcessPolicy;
use domain::proof::password::{Needed, PasswordRules};
use domain::proof::session::SessionPolicy;
use domain::proof::token::TokenPolicy;

use crate::section::section;

section! {
    /// The profile and one-time-token surface. A pause, limit or cool-down of 0 is off.
    Profile {
        /// Maximum age, in seconds, of the session's password login for changes of security settings.
        reauth_max_age_seconds: u64 = 1200,
        /// Features; see `[profile.features]` below.
        features: Features = Features::default(),
        /// Which kinds of user keys the server accepts; see `[profile.registration]` below.
        registration: Registration = Registration::default(),
        /// Second steps of the login; see `[profile.mfa]` below.
        mfa: Mfa = Mfa::default(),
        /// One-time tokens; see `[profile.ott]` below.
        ott: Ott = Ott::default(),
        /// Processes; see `[profile.process]` below.
        process: Process = Process::default(),
        /// Passwords; see `[profile.password]` below.
        password: Password = Password::default(),
        /// Sessions; see `[profile.session]` below.
        session: Session = Session::default(),
        /// Cool-downs; see `[profile.restriction]` below.
        restriction: Restriction = Restriction::default(),
        /// Compatibility with older clients; see `[profile.compat]` below.
        compat: Compat = Compat::default(),
    }
}

section! {
    /// Features. The routes of a feature that is switched off answer 404.
    Features {
        /// Second steps, and recovery of a lost user key.
        mfa: bool = true,
        /// Anti-phishing codes.
        anti_phishing: bool = true,
        /// Referral codes are not implemented: `false` is the only value. The field is accepted and ignored.
        referral: bool = false,
    }
}

section! {
    /// Which kinds of user keys (addresses) the server accepts.
    Registration {
        /// E-mail addresses.
        email_enabled: bool = true,
        /// Phone numbers.
        phone_enabled: bool = true,
    }
}

section! {
    /// Second steps of the login.
    Mfa {
        /// Whether a login needs `all` second steps that are switched on, or `any` one of them.
        policy: String = "all".to_owned(),
    }
}

section! {
    /// One-time tokens.
    Ott {
        /// Lifetime of a token in seconds.
        lifetime_seconds: u64 = 1800,
        /// Lifetime of a token sent by e-mail. 0: `lifetime_seconds` applies.
        lifetime_seconds_email: u64 = 0,
        /// Lifetime of a token sent to a phone. 0: `lifetime_seconds` applies.
        lifetime_seconds_phone: u64 = 0,
        /// Wrong codes after which a token becomes invalid.
        max_attempts: u32 = 5,
        /// Seconds between two messages for one operation, subject and destination.
        resend_cooldown_seconds: u64 = 60,
        /// Messages in one process to one destination.
        max_sends_per_process: u32 = 5,
        /// Messages for one operation to one address in an hour.
        max_sends_per_operation_hour: u32 = 5,
        /// Messages to one address in an hour, over all operations.
        max_sends_per_address_hour: u32 = 20,
        /// Messages to one address in a day, over all operations.
        max_sends_per_address_day: u32 = 50,
        /// Messages that requests from one client network may cause in an hour.
        max_sends_per_ip_hour: u32 = 60,
    }
}

section! {
    /// Processes: registrations, logins and recoveries of callers who are not logged in.
    Process {
        /// Lifetime of a process in seconds, at most 7200.
        lifetime_seconds: u64 = 3600,
        /// Seconds that a verified process waits for its last step.
        verified_window_seconds: u64 = 900,
        /// Wrong codes after which a process ends.
        max_failed: u32 = 10,
    }
}

section! {
    /// Passwords.
    Password {
        /// Minimum length of a password in Unicode code points, at least 8.
        min_length: usize = 15,
        /// Maximum length of a password in Unicode code points, at least 64.
        max_length: usize = 128,
        /// Wrong passwords in a row, for one user key and network, after which the login is locked.
        max_failed: u32 = 5,
        /// Seconds for which the login is then locked.
        lock_seconds: u64 = 900,
        /// Require an upper-case letter. NIST SP 800-63B-4 forbids such rules.
        uppercase_required: bool = false,
        /// Require a special character. NIST SP 800-63B-4 forbids such rules.
        special_symbols_required: bool = false,
    }
}

section! {
    /// Sessions.
    Session {
        /// Lifetime of an access token in seconds.
        access_ttl_seconds: u64 = 900,
        /// Lifetime of a refresh token in seconds. Each refresh starts it again.
        refresh_ttl_seconds: u64 = 604_800,
        /// Maximum lifetime of a session in seconds, however often it is refreshed.
        refresh_absolute_seconds: u64 = 2_592_000,
        /// Seconds in which a used refresh token returns the same answer again, in case the first answer was lost.
        refresh_grace_seconds: u64 = 10,
    }
}

section! {
    /// Cool-downs in seconds after a change, in which security settings cannot be changed again.
    Restriction {
        /// After the recovery of a lost user key.
        after_recovery_seconds: u64 = 172_800,
        /// After a user key was changed or removed.
        after_key_change_seconds: u64 = 86_400,
        /// After a password was recovered or changed.
        after_password_seconds: u64 = 86_400,
    }
}

section! {
    /// Compatibility with older clients.
    Compat {
        /// Serve the paths of older versions.
        legacy_paths: bool = true,
        /// Accept GET for token requests that need no body.
        get_token_requests: bool = false,
    }
}

impl Profile {
    pub(crate) fn validate(&self) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("configuration: [profile] {why}"));
        let lives = [
            self.ott.lifetime_seconds,
            self.process.lifetime_seconds,
            self.process.verified_window_seconds,
            self.password.lock_seconds,
            self.session.access_ttl_seconds,
            self.session.refresh_ttl_seconds,
            self.session.refresh_absolute_seconds,
        ];
        let counts = [
            self.ott.max_attempts,
            self.process.max_failed,
            self.password.max_failed,
        ];
        if lives.contains(&0) || counts.contains(&0) {
            return wrong(
                "lifetimes, ott.max_attempts, process.max_failed and password.max_failed must be at least 1",
            );
        }
        if self.process.lifetime_seconds > 7_200 {
            return wrong("process.lifetime_seconds must be at most 7200");
        }
        let longest = self.password.max_length;
        if self.password.min_length < 8 || longest < self.password.min_length.max(64) {
            return wrong(
                "password.min_length must be at least 8, and password.max_length at least 64",
            );
        }
        if !["all", "any"].contains(&self.mfa.policy.as_str()) {
            return wrong("mfa.policy must be all or any");
        }
        if self.features.referral {
            return wrong("features.referral is not implemented; it must be false");
        }
        if !self.registration.email_enabled && !self.registration.phone_enabled {
            return wrong("registration must accept e-mail addresses, phone numbers, or both");
        }
        Ok(())
    }

    /// `service`: its name in messages.
    pub fn policy(&self, service: &str) -> PersonPolicy {
        PersonPolicy {
            second_step: offer(self.features.mfa),
            phrase: offer(self.features.anti_phishing),
            email: offer(self.registration.email_enabled),
            phone: offer(self.registration.phone_enabled),
            steps_needed: match self.mfa.policy.as_str() {
                "any" => StepsNeeded::Any,
                _ => StepsNeeded::All,
            },
            tokens: self.tokens(),
            processes: ProcessPolicy {
                life: seconds(self.process.lifetime_seconds),
                verified: seconds(self.process.verified_window_seconds),
                wrong: self.process.max_failed,
            },
            passwords: PasswordRules {
                least: self.password.min_length,
                most: self.password.max_length,
                upper_case: needed(self.password.uppercase_required),
                special: needed(self.password.special_symbols_required),
                service: service.to_owned(),
            },
            wrong_passwords: self.password.max_failed,
            password_lock: seconds(self.password.lock_seconds),
            sessions: SessionPolicy {
                access: seconds(self.session.access_ttl_seconds),
                refresh: seconds(self.session.refresh_ttl_seconds),
                absolute: seconds(self.session.refresh_absolute_seconds),
                grace: seconds(self.session.refresh_grace_seconds),
            },
            fresh_login: seconds(self.reauth_max_age_seconds),
            after_recovery: seconds(self.restriction.after_recovery_seconds),
            after_key_change: seconds(self.restriction.after_key_change_seconds),
            after_password: seconds(self.restriction.after_password_seconds),
        }
    }

    fn tokens(&self) -> TokenPolicy {
        let life = |own: u64| {
            seconds(match own {
                0 => self.ott.lifetime_seconds,
                own => own,
            })
        };
        TokenPolicy {
            life_email: life(self.ott.lifetime_seconds_email),
            life_phone: life(self.ott.lifetime_seconds_phone),
            tries: self.ott.max_attempts,
            pause: seconds(self.ott.resend_cooldown_seconds),
            sends_per_process: self.ott.max_sends_per_process,
            sends_per_operation_hour: self.ott.max_sends_per_operation_hour,
            sends_per_address_hour: self.ott.max_sends_per_address_hour,
            sends_per_address_day: self.ott.max_sends_per_address_day,
            sends_per_network_hour: self.ott.max_sends_per_ip_hour,
        }
    }
}

fn offer(on: bool) -> Offer {
    if on { Offer::On } else { Offer::Off }
}

fn needed(always: bool) -> Needed {
    if always {
        Needed::Always
    } else {
        Needed::Never
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
