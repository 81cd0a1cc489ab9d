use crate::section::section;

section! {
    /// How slow secrets are hashed, and which numbers are in force.
    Security {
        /// `compat` keeps documented behaviour; `strict` takes the numbers of OWASP ASVS 5 L2 and NIST SP 800-63B-4.
        /// `keyward doctor` lists what differs.
        profile: String = "compat".to_owned(),
        /// Argon2id memory in KiB. 19456 is the least outside development mode.
        argon2_memory_kib: u32 = 19_456,
        /// Argon2id passes. 2 is the least outside development mode.
        argon2_passes: u32 = 2,
        /// Argon2id lanes.
        argon2_lanes: u32 = 1,
        /// Hashing threads; 0 takes as many as there are cores.
        hash_threads: usize = 0,
        /// Callers admitted to the hash queue, for each kind of work.
        hash_queue: usize = 64,
    }
}

impl Security {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if !["compat", "strict"].contains(&self.profile.as_str()) {
            return Err("configuration: [security] profile is compat or strict".to_owned());
        }
        if self.argon2_memory_kib < 19_456 || self.argon2_passes < 2 {
            return Err(
                "configuration: [security] argon2_memory_kib is at least 19456 and argon2_passes at least 2".to_owned()
            );
        }
        if !self.cost().is_valid() {
            return Err(
                "configuration: [security] Argon2 cannot work with these numbers".to_owned(),
            );
        }
        Ok(())
    }

    pub fn cost(&self) -> crypto::password::Cost {
        crypto::password::Cost {
            memory_kib: self.argon2_memory_kib,
            passes: self.argon2_passes,
            lanes: self.argon2_lanes,
        }
    }

    pub fn threads(&self) -> usize {
        match self.hash_threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            threads => threads,
        }
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.profile == "strict"
    }
}
