//! The macro that makes a configuration section: its type, its defaults and its documentation at once.

/// One key of a section, for the example file and for suggestions after a misspelt name.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
}

/// Defines a section. Every key has its documentation and its default.
macro_rules! section {
    ($(#[doc = $section_doc:literal])+ $name:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr,)*
    }) => {
        $(#[doc = $section_doc])+
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            pub(crate) const DOC: &'static str = concat!($($section_doc, "\n",)+);
            pub(crate) const KEYS: &'static [$crate::section::Key] = &[
                $($crate::section::Key {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n",)+),
                },)*
            ];
        }
    };
}

pub(crate) use section;
