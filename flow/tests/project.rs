//! Several files checked together.

use rhythm_flow::project::Project;
use rhythm_flow::source::Source;

fn told(project: Project) -> String {
    let mut shown = Vec::new();
    for file in project.finish() {
        for one in &file.checked.diagnostics {
            // `Workflow` itself is refused until there are child workflows.
            if one.code.number().starts_with("W04") {
                shown.push(one.render(&file.source));
            }
        }
    }
    shown.join("\n\n")
}

fn project(files: &[(&str, &str)]) -> Project {
    let mut project = Project::default();
    for (name, text) in files {
        project.add(
            Some((*name).to_owned()),
            Source::new(format!("{name}.flow"), *text),
        );
    }
    project
}

#[test]
fn workflows_that_no_file_defines_are_told_with_candidates() {
    let files = [
        (
            "order",
            "await Workflow.run('shiping', Inputs)\nawait Workflow.run('shipping')\n\
             await Workflow.try('refund')\nawait Workflow.run('charge')\nconst run = 'x'\n\
             await Workflow.run(run)",
        ),
        (
            "shipping",
            "await Task.run('charge')\nawait Task.run('order')",
        ),
    ];
    insta::with_settings!({ snapshot_path => "snap/project", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("workflows", told(project(&files)));
    });
}

#[test]
fn a_workflow_beside_the_checked_files_is_known() {
    let mut project = project(&[("order", "await Workflow.run('shipping')")]);
    project.knows_workflow("shipping".to_owned());
    assert_eq!(told(project), "");
}

#[test]
fn a_text_from_a_pipe_stands_for_no_set_of_files() {
    let mut project = Project::default();
    project.add(None, Source::new("-", "await Workflow.run('shipping')"));
    assert_eq!(told(project), "");
}

#[test]
fn a_task_that_is_almost_another_one_is_told_where_it_is_rare() {
    let files = [
        (
            "a",
            "await Task.run('charge')\nawait Task.run('send_email')",
        ),
        (
            "b",
            "await Task.run('charge')\nawait Task.run('chargr')\nawait Task.run('send_emails')",
        ),
        (
            "c",
            "await Task.run('reserve')\nawait Task.run('resrve')\nawait Task.run('reesrve')",
        ),
    ];
    insta::with_settings!({ snapshot_path => "snap/project", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("tasks", told(project(&files)));
    });
}

#[test]
fn names_that_digits_tell_apart_are_no_slips() {
    let files = [
        (
            "a",
            "await Task.run('report_12_daily')\nawait Task.run('report_21_daily')\nawait Task.run('v1_charge')\n\
             await Task.run('v1_charge')",
        ),
        (
            "b",
            "await Task.run('v2_charge')\nawait Task.run('v11_charge')\nawait Task.run('report_1_daily')\n\
             await Task.run('report_12_daily')\nawait Task.run('v_charge')",
        ),
    ];
    assert_eq!(told(project(&files)), "");
}

#[test]
fn with_a_list_of_tasks_every_other_one_is_told() {
    let mut project = project(&[(
        "a",
        "await Task.run('charge')\nawait Task.try('chrage')\nawait Task.run('refund')",
    )]);
    project.declare_tasks(["charge".to_owned(), "ship".to_owned()]);
    insta::with_settings!({ snapshot_path => "snap/project", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("declared_tasks", told(project));
    });
}
