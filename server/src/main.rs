//! The `engrain` binary. Everything is in the library, so that tests can reach it.

fn main() -> std::process::ExitCode {
    engrain_server::cli::run()
}
