//! The binary `engine`: everything is in `cli`.

fn main() -> std::process::ExitCode {
    engine::cli::main()
}
