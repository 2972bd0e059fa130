//! The binary `engine`: everything is in `cli`.

/// Many small values live shortly: half of what the system's allocator took of a run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    engine::cli::main()
}
