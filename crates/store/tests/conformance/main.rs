//! One list of promises, kept by every backend. What only one engine can break is in `sqlite` and
//! `postgres`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod methods;
mod ordered;
mod postgres;
mod proxy;
mod races;
mod server;
mod sqlite;
mod transactions;
mod transfer;

/// Makes one test per promise and backend.
macro_rules! conformance {
    ($($module:ident::$promise:ident,)*) => {
        mod on_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let fixture = crate::fixture::memory();
                crate::$module::$promise(&fixture.store).await;
            })*
        }

        mod on_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let fixture = crate::fixture::file();
                crate::$module::$promise(&fixture.store).await;
            })*
        }

        mod on_postgres {
            use store::Statements;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let Some(fixture) = crate::fixture::postgres(Statements::Unnamed).await else { return };
                crate::$module::$promise(&fixture.store).await;
            })*
        }

        mod on_postgres_prepared {
            use store::Statements;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let Some(fixture) = crate::fixture::postgres(Statements::Prepared).await else { return };
                crate::$module::$promise(&fixture.store).await;
            })*
        }
    };
}

conformance! {
    methods::keeps_every_column,
    methods::rows_of_two_kinds_do_not_meet,
    methods::tells_absence,
    methods::an_update_replaces_the_version_before,
    methods::an_update_of_another_version_runs_again,
    methods::an_insert_of_a_taken_id_runs_again,
    methods::a_removed_row_is_gone_once,
    methods::a_transaction_sees_its_own_changes,
    methods::counts_and_removes_the_rows_of_an_owner,
    methods::keeps_large_bodies,
    methods::counts_kinds,
    ordered::pages_without_gaps_in_both_orders,
    ordered::a_page_has_its_limit,
    ordered::due_rows_come_earliest_first,
    ordered::removes_due_rows_up_to_the_limit,
    ordered::a_scan_covers_everything_in_order,
    transactions::is_visible_when_acknowledged,
    transactions::a_failed_job_leaves_nothing,
    transactions::a_failed_job_spares_its_neighbours,
    transactions::a_panicking_job_hurts_nobody,
    transactions::a_reading_job_cannot_write,
    transactions::a_reading_job_sees_one_moment,
    transactions::a_long_reading_job_is_let_through,
    transactions::an_ignored_conflict_is_not_committed,
    transactions::an_empty_job_succeeds,
    transactions::a_job_outlives_its_caller,
    transactions::is_ready,
    races::ten_and_a_thousand_racing_jobs_count_exactly,
    races::rows_asked_for_at_once_reach_who_asked,
    races::ten_guesses_on_a_budget_of_three_get_three,
    races::versions_alone_count_exactly,
    races::one_of_many_inserts_wins,
    races::one_of_many_removals_is_told,
    races::crossing_locks_lose_nothing,
    races::workers_share_due_rows,
    transfer::a_copy_is_equal_and_a_second_one_carries_what_changed,
    transfer::an_archive_gives_back_every_column,
    transfer::an_archive_that_is_not_whole_is_refused,
    transfer::marks_are_told_and_never_carried,
    transfer::tells_its_clock_if_it_has_one,
}
