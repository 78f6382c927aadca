#pragma once

#include <vector>

#include "tools/acta/app/command.h"

namespace acta::cli {

// One function a command, each in the file of its name; the table is their order in help.
Command TopicCreateCommand();
Command TopicListCommand();
Command TopicDescribeCommand();
Command TopicAlterCommand();
Command TopicDeleteCommand();
Command PublishCommand();
Command SubscribeCommand();
Command ReadCommand();
Command GroupCreateCommand();
Command GroupListCommand();
Command GroupDescribeCommand();
Command GroupLagCommand();
Command GroupResetCommand();
Command GroupPauseCommand();
Command GroupResumeCommand();
Command GroupExplainCommand();
Command GroupSkipCommand();
Command GroupExpiredCommand();
Command GroupUpdateCommand();
Command GroupDeleteCommand();
Command DeadletterListCommand();
Command DeadletterShowCommand();
Command DeadletterExportCommand();
Command DeadletterRedriveCommand();
Command DeadletterRedrivesCommand();
Command DeadletterCancelCommand();
Command DeadletterEditCommand();
Command DeadletterDiscardCommand();
Command ScheduleListCommand();
Command ScheduleShowCommand();
Command ScheduleMoveCommand();
Command ScheduleCancelCommand();
Command JourneyCommand();
Command QuestionsCommand();
Command ClaimListCommand();
Command ClaimShowCommand();
Command ClaimReleaseCommand();
Command StatusCommand();
Command TopCommand();
Command ConfigCommand();
Command LimitsCommand();
Command VersionCommand();
Command DoctorCommand();
Command ContextAddCommand();
Command ContextListCommand();
Command ContextUseCommand();
Command ContextShowCommand();
Command ContextRemoveCommand();
Command CompletionCommand();
Command CompleteCommand();
Command BackupCreateCommand();
Command BackupListCommand();
Command BackupStopCommand();
Command BackupDeleteCommand();
Command AdminScrubCommand();
Command AdminAcceptClockCommand();
Command AdminLogLevelCommand();

const std::vector<Command>& AllCommands();

}  // namespace acta::cli
