//! What a one-time token is for.

use serde::{Deserialize, Serialize};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    Registration,
    Login,
    PasswordRecovery,
    AddressRecovery,
    AddressRecoveryNew,
    PasswordChange,
    AddEmail,
    AddPhone,
    ChangeAddress,
    ChangeAddressNew,
    RemoveAddress,
    ChangePhrase,
    AddPhrase,
    SwitchOff,
}

impl Operation {
    pub const ALL: [Self; 14] = [
        Self::Registration,
        Self::Login,
        Self::PasswordRecovery,
        Self::AddressRecovery,
        Self::AddressRecoveryNew,
        Self::PasswordChange,
        Self::AddEmail,
        Self::AddPhone,
        Self::ChangeAddress,
        Self::ChangeAddressNew,
        Self::RemoveAddress,
        Self::ChangePhrase,
        Self::AddPhrase,
        Self::SwitchOff,
    ];

    /// The name that messages, their templates and the audit trail show.
    ///
    /// These names are the profile wire's. They stay as they are, because they are stored: the row id of a token and
    /// the tag of its code are computed from them, and operators name their templates by them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "REGISTRATION",
            Self::Login => "LOGIN",
            Self::PasswordRecovery => "PASSWORD_RECOVERY",
            Self::AddressRecovery => "USER_KEY_RECOVERY_VERIFICATION",
            Self::AddressRecoveryNew => "USER_KEY_RECOVERY_NEW_KEY",
            Self::PasswordChange => "PASSWORD_CHANGING",
            Self::AddEmail => "USER_KEY_ADDING_EMAIL",
            Self::AddPhone => "USER_KEY_ADDING_PHONE_NUMBER",
            Self::ChangeAddress => "USER_KEY_CHANGING",
            Self::ChangeAddressNew => "USER_KEY_CHANGING_NEW_KEY",
            Self::RemoveAddress => "USER_KEY_REMOVING",
            Self::ChangePhrase => "ANTI_PHISHING_CHANGING",
            Self::AddPhrase => "ANTI_PHISHING_ADDING",
            Self::SwitchOff => "MFA_DISABLING",
        }
    }

    /// Whether the caller has yet to prove that the address is theirs.
    ///
    /// If so, a full budget of the address is not answered: the answer would tell whether the address has an account.
    pub(super) fn address_is_unproved(self) -> bool {
        matches!(
            self,
            Self::Registration
                | Self::PasswordRecovery
                | Self::AddressRecoveryNew
                | Self::AddEmail
                | Self::AddPhone
                | Self::ChangeAddressNew
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Operation::ALL.into_iter().map(Operation::name).collect();
        assert_eq!(names.len(), Operation::ALL.len());
    }

    #[test]
    fn an_operation_is_stored_by_its_variant() {
        let stored = serde_json::to_string(&Operation::AddressRecoveryNew).unwrap();
        assert_eq!(stored, "\"AddressRecoveryNew\"");
        for operation in Operation::ALL {
            let stored = serde_json::to_string(&operation).unwrap();
            assert_eq!(
                serde_json::from_str::<Operation>(&stored).unwrap(),
                operation
            );
        }
    }

    #[test]
    fn an_address_that_the_account_has_is_proved() {
        let proved = [
            Operation::Login,
            Operation::AddressRecovery,
            Operation::PasswordChange,
            Operation::ChangeAddress,
            Operation::RemoveAddress,
            Operation::ChangePhrase,
            Operation::AddPhrase,
            Operation::SwitchOff,
        ];
        for operation in Operation::ALL {
            assert_eq!(
                operation.address_is_unproved(),
                !proved.contains(&operation),
                "{operation:?}"
            );
        }
    }
}
